"""A tiny result in the layout since CaImAn 1.9.9, made up but true to format: CNMF, evaluated, with background."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from nwbridge_caiman.saving import put

ROWS, COLUMNS, FRAMES = 30, 44, 80
CENTRES = ((8, 10), (11, 14), (20, 33), (24, 6))
PARAMETERS: dict[str, dict[str, object]] = {
    "data": {"caiman_version": "1.11.3", "decay_time": 0.4, "dxy": [1.0, 1.0], "fr": 15.0, "var_name_hdf5": "mov"},
    "init": {"K": 4, "method_init": "greedy_roi", "center_psf": False, "gSig": [3, 3], "nb": 2, "ssub": 1, "tsub": 1},
    "merging": {"do_merge": True, "merge_thr": 0.85},
    "patch": {"rf": None, "stride": None},
    "quality": {"min_SNR": 2.5, "rval_thr": 0.85, "use_cnn": False},
    "temporal": {"p": 1, "method_deconvolution": "oasis", "solvers": [b"ECOS", b"SCS"]},
}


def example(folder: Path) -> Path:
    """Write ``caiman_example.hdf5`` with four components, one of them rejected, and return its path."""
    path = folder / "caiman_example.hdf5"
    with h5py.File(path, "w") as file:
        file.attrs["mmap_file"] = f"memmap_d1_{ROWS}_d2_{COLUMNS}_d3_1_order_C_frames_{FRAMES}.mmap"
        put(file, "dims", [ROWS, COLUMNS])
        put(file, "dview", None)
        for group, values in PARAMETERS.items():
            for name, value in values.items():
                put(file.require_group(f"params/{group}"), name, value)
        put(file, "params/data/dims", [ROWS, COLUMNS])
        put(file, "params/data/fnames", [b"/data/jane/example_movie.tif"])
        for name, value in estimates().items():
            put(file.require_group("estimates"), name, value)
        sparse(file.create_group("estimates/A"), footprints())
    return path


def sparse(group: h5py.Group, matrix: npt.NDArray[np.float64]) -> None:
    """Store a matrix by columns, without zeros."""
    column, row = np.nonzero(matrix.T)
    group["data"] = matrix[row, column]
    group["indices"] = row.astype(np.int32)
    group["indptr"] = np.searchsorted(column, np.arange(matrix.shape[1] + 1)).astype(np.int32)
    group["shape"] = matrix.shape


def footprints() -> npt.NDArray[np.float64]:
    """Return A as (pixel, component); pixels count down the columns."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    distances = [np.hypot(rows - row, columns - column) for row, column in CENTRES]
    images = np.array([np.where(distance < 5, np.exp(-(distance**2) / 18), 0) for distance in distances])
    flat = images.transpose(1, 2, 0).reshape(ROWS * COLUMNS, -1, order="F")
    scaled: npt.NDArray[np.float64] = flat / np.linalg.norm(flat, axis=0)
    return scaled


def estimates() -> dict[str, object]:
    """Return everything below estimates/ but A."""
    rng = np.random.default_rng(7)
    count, pixels = len(CENTRES), ROWS * COLUMNS
    spikes = (rng.random((count, FRAMES)) < 0.08) * rng.uniform(200, 900, (count, FRAMES))
    decay = 0.9 ** np.arange(FRAMES)
    denoised = np.array([np.convolve(row, decay)[:FRAMES] for row in spikes])
    residual = rng.normal(0, 30, denoised.shape)
    image = 300 + 100 * np.sin(np.arange(pixels) / 97)
    background = np.stack([image, np.cos(np.arange(pixels) / 31)], axis=1)
    course = np.stack([1 + 0.05 * np.sin(np.arange(FRAMES) / 9), rng.normal(0, 3, FRAMES)])
    baseline = (footprints().T @ background @ course).mean(axis=1, keepdims=True)
    total = denoised + residual
    return {
        "C": denoised,
        "S": spikes,
        "YrA": residual,
        "R": residual,
        "F_dff": (total - np.percentile(total, 8, axis=1, keepdims=True)) / baseline,
        "b": background,
        "f": course,
        "Cn": rng.uniform(0, 1, (ROWS, COLUMNS)),
        "sn": rng.uniform(20, 40, pixels),
        "W": None,
        "b0": None,
        "dims": [ROWS, COLUMNS],
        "nr": count,
        "shifts": np.zeros(0),
        "idx_components": np.array([0, 1, 3]),
        "idx_components_bad": np.array([2]),
        "SNR_comp": np.array([6.5, np.inf, 1.25, 4.75]),
        "r_values": np.array([0.93, 0.9, 0.4, np.nan]),
        "cnn_preds": np.zeros(0),
        "g": np.full((count, 1), 0.9),
        **{name: np.round(rng.uniform(1, 9, count), 3).astype("S32") for name in ("bl", "c1", "lam", "neurons_sn")},
    }
