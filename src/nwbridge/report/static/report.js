"use strict";
(() => {
  const root = document.documentElement, all = (q, from = document) => [...from.querySelectorAll(q)];
  root.classList.add("js");

  // ---- what is shown -------------------------------------------------------------------------------------------
  const level = document.getElementById("by-level"), source = document.getElementById("by-source");
  const text = document.getElementById("by-text"), shown = document.getElementById("shown");
  function filter() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean), cards = all(".card");
    let count = 0;
    for (const card of cards) {
      const d = card.dataset;
      const fits = (!level.value || d.level === level.value) && (!source.value || d.source === source.value) &&
        words.every((word) => d.text.includes(word));
      card.hidden = !fits;
      count += fits;
      const tile = document.querySelector(`.grid [data-for="${card.id}"]`);
      if (tile) tile.hidden = !fits;
    }
    shown.value = `${count} of ${cards.length} shown`;
  }
  if (level) {
    for (const one of [level, source, text]) one.addEventListener("input", filter);
    level.form.addEventListener("submit", (event) => event.preventDefault());
    filter();
  }

  // ---- numbers -------------------------------------------------------------------------------------------------
  const bytes = (words) => Uint8Array.from(atob(words), (c) => c.charCodeAt(0)).buffer;
  const steps = (words, low, high) => Float64Array.from(new Uint16Array(bytes(words)),
    (step) => step ? low + (step - 1) / 65534 * (high - low) : NaN);
  const plain = (value) => Number.isFinite(value) ? String(+value.toPrecision(9)) : "";
  function say(value, digits) {
    const words = Math.abs(value) >= 1e7 || (value && Math.abs(value) < 1e-4) ? value.toExponential(2)
      : String(+value.toFixed(Math.max(0, Math.min(12, digits))));
    return words.replace("-", "−");
  }
  function ticks(low, high, most) {
    const least = (high - low) / most, power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= least * 0.999) || 10 * power, found = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9 && found.length < 50; n++) found.push(n * step);
    return [found, Math.ceil(-Math.log10(step) - 1e-9)];
  }

  // ---- time axes -----------------------------------------------------------------------------------------------
  class Line {
    constructor(data) {
      this.data = data;
      this.low = steps(data.low, data.min, data.max);
      this.high = data.high ? steps(data.high, data.min, data.max) : this.low;
      this.times = data.t ? Float64Array.from(new Float32Array(bytes(data.t)), (t) => t + data.t0)
        : Float64Array.from({length: data.n}, (_, n) => n === data.n - 1 && data.last !== undefined ? data.last : data.t0 + n * data.dt);
    }
    // the path of what lies between two times: in every column from the lowest to the highest value
    path(from, to, columns) {
      const {times, low, high} = this, [bottom, top] = this.data.bounds, y = (v) => ((top - v) / (top - bottom) * 100).toFixed(2);
      let words = "", pen = false, n = 0;
      const begin = Math.max(0, at(times, from) - 1), end = Math.min(times.length, at(times, to) + 2);
      const wide = (to - from) / columns;
      for (n = begin; n < end;) {
        const column = Math.floor((times[n] - from) / wide);
        let least = Infinity, most = -Infinity, gap = false, first = n;
        do {
          if (low[n] === low[n]) { if (low[n] < least) least = low[n]; if (high[n] > most) most = high[n]; } else gap = true;
          n++;
        } while (n < end && Math.floor((times[n] - from) / wide) === column);
        if (gap) pen = false;
        if (least > most) continue;
        const x = ((times[first] + times[n - 1]) / 2 - from) / (to - from) * 1000;
        words += `${pen ? "L" : "M"}${x.toFixed(2)} ${y(least)}` + (least !== most ? `V${y(most)}` : pen ? "" : "h.1");
        pen = true;
      }
      return words;
    }
  }
  function at(times, when) { // the first place not before a time
    let low = 0, high = times.length;
    while (low < high) { const middle = (low + high) >> 1; if (times[middle] < when) low = middle + 1; else high = middle; }
    return low;
  }

  class Time {
    constructor(figure) {
      this.figure = figure;
      this.data = JSON.parse(figure.querySelector("script.data").textContent);
      this.box = figure.querySelector(".time");
      this.rows = all(".track", figure).map((row, n) => ({row, data: this.data.tracks[n], path: all("path", row)}));
      this.all = this.data.axis;
      this.view = [...this.all];
      this.range = figure.querySelector(".range");
      this.pointers = new Map();
      this.listen();
      this.tell();
    }
    listen() {
      const {box, figure} = this;
      all("[data-zoom]", figure).forEach((b) => b.addEventListener("click", () => +b.dataset.zoom ? this.zoom(+b.dataset.zoom) : this.show(...this.all)));
      this.choice = figure.querySelector("select.group");
      if (this.choice) {
        this.choice.addEventListener("change", () => this.choose());
        all("[data-page]", figure).forEach((b) => b.addEventListener("click", () => {
          const count = this.choice.options.length;
          this.choice.selectedIndex = (this.choice.selectedIndex + +b.dataset.page + count) % count;
          this.choose();
        }));
      }
      box.addEventListener("keydown", (event) => this.key(event));
      box.addEventListener("wheel", (event) => {
        if (document.activeElement !== box && !event.ctrlKey) return; // the page scrolls until the plot is chosen
        event.preventDefault();
        this.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), this.place(event.clientX));
      }, {passive: false});
      box.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        this.pointers.set(event.pointerId, event.clientX);
        box.setPointerCapture(event.pointerId);
      });
      box.addEventListener("pointermove", (event) => this.drag(event));
      for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    place(x) { // the part of the axis, 0 to 1, that lies under a place on the screen
      const area = this.rows.find((r) => !r.row.hidden).row.querySelector("svg").getBoundingClientRect();
      return Math.max(0, Math.min(1, (x - area.left) / area.width));
    }
    key(event) {
      const [from, to] = this.view, step = (to - from) / 10;
      const moves = {ArrowLeft: () => this.move(-step), ArrowRight: () => this.move(step), "+": () => this.zoom(0.5), "=": () => this.zoom(0.5),
        "-": () => this.zoom(2), "0": () => this.show(...this.all), Home: () => this.show(...this.all)};
      if (event.target !== this.box || event.ctrlKey || event.metaKey || event.altKey || !moves[event.key]) return;
      event.preventDefault();
      moves[event.key]();
    }
    drag(event) {
      if (!this.pointers.has(event.pointerId)) return;
      const before = [...this.pointers.values()], was = this.pointers.get(event.pointerId);
      this.pointers.set(event.pointerId, event.clientX);
      const after = [...this.pointers.values()], wide = this.rows.find((r) => !r.row.hidden).row.querySelector("svg").getBoundingClientRect().width;
      if (before.length === 1) this.move((was - event.clientX) / wide * (this.view[1] - this.view[0]));
      else if (before.length === 2) {
        const gap = (pair) => Math.max(10, Math.abs(pair[0] - pair[1]));
        this.zoom(gap(before) / gap(after), this.place((after[0] + after[1]) / 2));
      }
    }
    move(by) { this.show(this.view[0] + by, this.view[1] + by); }
    zoom(factor, around = 0.5) {
      const [from, to] = this.view, middle = from + (to - from) * around;
      this.show(middle - (middle - from) * factor, middle + (to - middle) * factor);
    }
    show(from, to) {
      const [first, last] = this.all, whole = last - first, wide = Math.max(whole * 1e-6, Math.min(whole, to - from));
      from = Math.max(first, Math.min(last - wide, from));
      this.view = [from, from + wide];
      if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
    }
    choose() {
      for (const {row} of this.rows) if (row.dataset.group) row.hidden = row.dataset.group !== this.choice.value;
      this.draw();
    }
    draw() {
      const [from, to] = this.view, x = (t) => (t - from) / (to - from) * 1000, inside = (t) => t >= from && t <= to;
      for (const one of this.rows) {
        if (one.row.hidden) continue;
        const {data, path} = one;
        if (data.kind === "line") {
          one.line = one.line || new Line(data);
          path.at(-2).setAttribute("d", one.line.path(from, to, Math.max(200, one.row.clientWidth)));
          if (data.under) {
            one.under = one.under || new Line(data.under);
            path[0].setAttribute("d", one.under.path(from, to, Math.max(200, one.row.clientWidth)));
          }
          path.at(-1).setAttribute("d", data.marks.filter(inside).map((t) => `M${x(t).toFixed(2)} 0V9`).join(""));
        } else if (data.kind === "ticks") {
          const tall = 100 / Math.max(1, data.rows.length);
          path[0].setAttribute("d", data.rows.map((times, row) => times.filter(inside).map((t) =>
            `M${x(t).toFixed(2)} ${((row + 0.12) * tall).toFixed(2)}v${(tall * 0.76).toFixed(2)}`).join("")).join(""));
        } else {
          path[0].setAttribute("d", data.starts.map((t, n) => [x(t), Math.max(x(data.stops[n]), x(t) + 0.5)])
            .filter(([a, b]) => b >= 0 && a <= 1000).map(([a, b]) => `M${Math.max(-5, a)} 15H${Math.min(1005, b)}V85H${Math.max(-5, a)}z`).join(""));
        }
      }
      const axis = this.figure.querySelector(".xs"), [marks, digits] = ticks(from, to, axis.clientWidth < 400 ? 4 : 7);
      axis.replaceChildren(...marks.map((value) => {
        const label = document.createElement("span");
        label.textContent = say(value, digits);
        label.style.left = `${(value - from) / (to - from) * 100}%`;
        return label;
      }));
      this.tell();
    }
    tell() {
      const [from, to] = this.view, digits = Math.max(0, 2 - Math.floor(Math.log10(to - from)));
      this.range.value = `${say(from, digits)} to ${say(to, digits)} s`;
    }
    table() {
      const rows = [["series", "unit", "time_s", "low", "high", "samples"]];
      for (const {data} of this.rows) {
        if (data.kind === "line") {
          for (const one of data.under ? [data, {...data.under, label: `${data.label}, grey: ${data.under.label}`}] : [data]) {
            const line = new Line(one);
            line.times.forEach((t, n) => rows.push([one.label, one.unit, plain(t), plain(line.low[n]), plain(line.high[n]), one.each]));
          }
          data.marks.forEach((t) => rows.push([`${data.label}: ${data.marked}`, "", plain(t), "", "", ""]));
        } else if (data.kind === "ticks") {
          data.rows.forEach((times, row) => times.forEach((t) => rows.push([`${data.label} ${data.names[row] || ""}`.trim(), "", plain(t), "", "", ""])));
        } else data.starts.forEach((t, n) => rows.push([`${data.label}: start and stop`, "s", plain(t), plain(t), plain(data.stops[n]), ""]));
      }
      return rows;
    }
  }

  // ---- downloads -----------------------------------------------------------------------------------------------
  const cell = (value) => {
    let words = String(value ?? "");
    if (/^[=+\-@\t\r]/.test(words) && !Number.isFinite(+words)) words = "'" + words; // no formula for a spreadsheet
    return /[",\n\r]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
  };
  const csv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  function save(name, content, type) {
    const link = document.createElement("a"), url = URL.createObjectURL(new Blob([content], {type}));
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
  const escape = (words) => words.replace(/[&<>"]/g, (c) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[c]);
  const STYLE = "text{font-family:sans-serif;fill:#222}.ln,.bf{fill:none;stroke:#0b5cad;stroke-width:1.1;vector-effect:non-scaling-stroke}.bf{stroke:#9aa3ad}" +
    ".ev{fill:none;stroke:#b3261e;stroke-width:1.2;vector-effect:non-scaling-stroke}.sp{fill:#c9a227;stroke:none}.still .sp{fill:#0b5cad}" +
    ".roi{fill:none;stroke-width:1.4;vector-effect:non-scaling-stroke}.accepted{stroke:#56c8f5}.rejected{stroke:#ff8a5c;stroke-dasharray:5 3}" +
    ".undecided{stroke:#f2e14c;stroke-dasharray:1.5 2.5}.unjudged{stroke:#7fe0a8}image{image-rendering:pixelated}" +
    ".scale,.scale text,.roi-name{fill:#fff;stroke:#000;stroke-width:.5;paint-order:stroke}.roi-name{text-anchor:middle}";
  const document_ = (wide, tall, inside) => `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${tall}" viewBox="0 0 ${wide} ${tall}">` +
    `<style>${STYLE}</style><rect width="${wide}" height="${tall}" fill="#fff"/>${inside}</svg>\n`;
  const words_ = (x, y, words, size = 12, more = "") => `<text x="${x}" y="${y}" font-size="${size}" ${more}>${escape(words)}</text>`;
  const percent = (span, side) => parseFloat(span.style[side]) / 100;

  function plotPicture(figure) {
    const left = 80, wide = 860, title = figure.querySelector("h4").textContent;
    let y = 36, out = words_(left, 20, title, 14, 'font-weight="bold"');
    for (const area of all(".area", figure)) {
      const row = area.closest(".track, .still");
      if (row.hidden) continue;
      const tall = Math.max(30, area.clientHeight * 1.1), label = row.querySelector(".label");
      out += words_(left, y + 12, [...label.childNodes].map((n) => n.textContent).join("  "));
      y += 18;
      out += `<path d="M${left} ${y}V${y + tall}H${left + wide}" fill="none" stroke="#999"/>`;
      for (const span of all(".ys span", area)) out += words_(left - 6, y + 4 + tall * percent(span, "top"), span.textContent, 11, 'text-anchor="end"');
      const lines = all("path", area).map((p) => `<path class="${p.getAttribute("class")}" d="${p.getAttribute("d")}"/>`).join("");
      out += `<svg x="${left}" y="${y}" width="${wide}" height="${tall}" viewBox="0 0 1000 100" preserveAspectRatio="none"><g class="${row.className}">${lines}</g></svg>`;
      y += tall + 10;
    }
    for (const span of all(".xs span", figure)) out += words_(left + wide * percent(span, "left"), y + 6, span.textContent, 11, 'text-anchor="middle"');
    out += words_(left + wide / 2, y + 24, figure.querySelector(".xaxis .unit").textContent, 12, 'text-anchor="middle"');
    return document_(left + wide + 30, y + 36, out);
  }

  function imagePicture(figure) {
    const wide = 480;
    let x = 20, tallest = 0, out = words_(20, 22, figure.querySelector("h4").textContent, 14, 'font-weight="bold"');
    for (const pane of all(".pane", figure)) {
      const copy = pane.querySelector("svg").cloneNode(true), [, , w, h] = copy.getAttribute("viewBox").split(" ").map(Number);
      for (const use of all("use", copy)) use.replaceWith(document.querySelector(use.getAttribute("href")).cloneNode(true));
      for (const [key, value] of Object.entries({x, y: 54, width: wide, height: wide * h / w, xmlns: "http://www.w3.org/2000/svg"})) copy.setAttribute(key, value);
      out += words_(x, 46, pane.querySelector("h5").textContent) + new XMLSerializer().serializeToString(copy);
      out += words_(x, 72 + wide * h / w, pane.querySelector(".small")?.textContent || "", 11);
      tallest = Math.max(tallest, wide * h / w);
      x += wide + 20;
    }
    return document_(x, tallest + 90, out);
  }

  async function pixels(svg) {
    const link = svg.querySelector("image, use"), image = link.tagName === "use" ? document.querySelector(link.getAttribute("href")) : link;
    const loaded = new Image();
    loaded.src = image.getAttribute("href");
    await loaded.decode();
    const canvas = Object.assign(document.createElement("canvas"), {width: loaded.naturalWidth, height: loaded.naturalHeight});
    const context = canvas.getContext("2d");
    context.drawImage(loaded, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }
  async function imageTable(figure) {
    const outlines = all("path[data-region]", figure);
    if (outlines.length) return [["region", "status", "outline", "x", "y"], ...outlines.flatMap(corners)];
    const rows = [];
    for (const pane of all(".pane", figure)) {
      const svg = pane.querySelector("svg"), {data, width, height} = await pixels(svg), name = pane.querySelector("h5").textContent;
      const low = +svg.dataset.low, high = +svg.dataset.high, grey = svg.dataset.low !== undefined;
      const value = (n) => grey ? plain(low + data[n] / 255 * (high - low)) : "#" + [0, 1, 2].map((c) => data[n + c].toString(16).padStart(2, "0")).join("");
      if (!rows.length) rows.push(["picture", "row", "pixels_each_way", ...Array.from({length: width}, (_, n) => `column ${n}`)]);
      for (let row = 0; row < height; row++)
        rows.push([name, row, svg.dataset.factor, ...Array.from({length: width}, (_, n) => value(4 * (row * width + n)))]);
    }
    return rows;
  }
  function corners(path) { // of a path of M x y, h and v
    const rows = [], status = path.classList[1] === "unjudged" ? "not evaluated" : path.classList[1];
    let x = 0, y = 0, loop = -1;
    for (const [, command, words] of path.getAttribute("d").matchAll(/([Mhv])([^Mhvz]*)/g)) {
      const values = words.trim().split(/\s+/).map(Number);
      if (command === "M") { [x, y] = values; loop++; } else if (command === "h") x += values[0]; else y += values[0];
      rows.push([path.dataset.region, status, loop, x, y]);
    }
    return rows;
  }
  function plotTable(figure) {
    const {columns} = JSON.parse(figure.querySelector("script.data").textContent), names = Object.keys(columns);
    const lists = names.map((name) => steps(columns[name].values, columns[name].min, columns[name].max));
    return [names, ...Array.from(lists[0], (_, n) => lists.map((list) => plain(list[n])))];
  }
  const tableTable = (figure) => all("tr", figure).map((row) => all("th, td", row).map((one) => one.textContent));

  const plots = new Map(all(".fig.time").map((figure) => [figure, new Time(figure)]));
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-save]");
    if (!button) return;
    const figure = button.closest(".fig"), kind = figure.dataset.kind;
    const name = figure.dataset.name.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 100);
    if (button.dataset.save === "picture") save(`${name}.svg`, kind === "picture" ? imagePicture(figure) : plotPicture(figure), "image/svg+xml");
    else save(`${name}.csv`, csv(kind === "time" ? plots.get(figure).table() : kind === "plot" ? plotTable(figure)
      : kind === "picture" ? await imageTable(figure) : tableTable(figure)), "text/csv");
  });

  // ---- paper ---------------------------------------------------------------------------------------------------
  let folded = [];
  addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach((one) => { one.open = true; }); });
  addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
