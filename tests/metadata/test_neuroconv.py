"""Files that labs have written for NeuroConv work as they are; what has no use here is said."""

import pytest
from recordings import silent

import nwbridge
from nwbridge import BadMetadata, Movie, Session
from nwbridge.metadata import check, fields, from_settings, load, overlay

# what neuroconv 0.10.2 writes: the older lists with names, with its placeholders
LISTS = """
NWBFile:
  session_description: no description
  identifier: 2a618868-3045-4f87-92b5-8fc5085d2b96
  session_start_time: 2020-01-31T12:00:00+01:00
  source_script: "NeuroConv provenance record"
  source_script_file_name: run.py
Ophys:
  Device:
    - name: Bergamo
      description: two-photon microscope
  ImagingPlane:
    - name: ImagingPlaneV1
      description: layer 2/3
      excitation_lambda: .nan
      indicator: unknown
      location: V1
      device: Bergamo
      optical_channel:
        - name: Green
          emission_lambda: .nan
          description: GCaMP
  TwoPhotonSeries:
    - name: Two
      description: the movie
      unit: n.a.
      imaging_plane: ImagingPlaneV1
      field_of_view: [0.0005, 0.0005]
  Fluorescence:
    name: Fluorescence
    PlaneSegmentation: {raw: {name: RoiResponseSeries, unit: n.a.}}
  DfOverF: {name: DfOverF}
  ImageSegmentation:
    name: ImageSegmentation
    plane_segmentations: [{name: PlaneSegmentation, imaging_plane: ImagingPlaneV1}]
  SegmentationImages: {name: SegmentationImages}
Ecephys:
  ElectrodeGroup: [{name: shank}]
"""
# the newer dictionaries, whose keys refer to each other
DICTIONARIES = """
Devices:
  my_microscope: {name: Bergamo, description: two-photon microscope, device_model_metadata_key: b_scope}
  my_amplifier: {name: MultiClamp}
DeviceModels:
  b_scope: {name: B-Scope, manufacturer: Thorlabs}
Ophys:
  ImagingPlanes:
    my_plane:
      name: ImagingPlaneV1
      description: layer 2/3
      excitation_lambda: 920.0
      indicator: GCaMP6s
      location: V1
      device_metadata_key: my_microscope
      optical_channel: [{name: Green, description: GCaMP, emission_lambda: 510.0}]
  MicroscopySeries:
    my_series: {name: Two, description: the movie, unit: n.a., imaging_plane_metadata_key: my_plane}
  PlaneSegmentations:
    my_segmentation: {name: PlaneSegmentation, imaging_plane_metadata_key: my_plane}
  RoiResponses:
    my_segmentation: {raw: {name: RoiResponseSeries}}
"""


def written(tmp_path, text):
    (tmp_path / "lab.yaml").write_text(text, "utf-8")
    return load(tmp_path / "lab.yaml")


def two():
    """A session with one movie, whose device, plane and channel have default names."""
    return Session("a", "A session.", silent().elements[:1])


def test_lists_with_names_are_laid_over_and_placeholders_are_not(tmp_path):
    session = overlay(two(), written(tmp_path, LISTS))
    (movie,) = session.of(Movie)
    plane = movie.plane
    assert (session.description, session.start_time.isoformat()) == ("A session.", "2020-01-31T12:00:00+01:00")
    assert (movie.description, movie.unit) == ("the movie", None)
    assert (plane.name, plane.description, plane.location) == ("ImagingPlaneV1", "layer 2/3", "V1")
    assert (plane.indicator, plane.excitation_nm) == (None, None)
    assert (plane.device.name, plane.device.description) == ("Bergamo", "two-photon microscope")
    assert [(c.name, c.description, c.emission_nm) for c in plane.channels] == [("Green", "GCaMP", None)]


def test_what_has_no_use_is_said_in_one_hint(tmp_path):
    (finding,) = overlay(two(), written(tmp_path, LISTS)).findings
    assert finding.severity == "hint"
    assert finding.message == (
        "not used from the metadata: NWBFile.identifier, NWBFile.source_script, NWBFile.source_script_file_name, "
        "Ophys.TwoPhotonSeries.field_of_view, Ophys.Fluorescence, Ophys.DfOverF, Ophys.ImageSegmentation, "
        "Ophys.SegmentationImages, Ecephys"
    )


def test_dictionaries_whose_keys_refer_to_each_other_are_laid_over(tmp_path):
    content = written(tmp_path, DICTIONARIES)
    assert check(content) == content
    session = overlay(two(), content)
    (movie,) = session.of(Movie)
    plane = movie.plane
    assert (movie.description, plane.name, plane.indicator, plane.excitation_nm) == (
        "the movie",
        "ImagingPlaneV1",
        "GCaMP6s",
        920,
    )
    assert (plane.device.name, plane.device.model, plane.device.manufacturer) == ("Bergamo", "B-Scope", "Thorlabs")
    assert [(c.name, c.emission_nm) for c in plane.channels] == [("Green", 510)]
    (finding,) = session.findings
    assert finding.message.startswith("not used from the metadata: Devices, ")


def test_an_electrode_of_neuroconv_s_is_laid_over():
    electrode = {"name": "Pipette7", "description": "borosilicate", "location": "VISp", "device_metadata_key": "amp"}
    for key, value in (("IntracellularElectrodes", {"e": electrode}), ("Electrodes", [electrode])):
        session = overlay(silent(), check({"Icephys": {key: value}}))
        (clamp,) = [e for e in session.elements if hasattr(e, "electrode")]
        known = clamp.electrode
        assert (known.name, known.description, known.location) == ("Pipette7", "borosilicate", "VISp")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "Ophys: {ImagingPlanes: {p: {device_metadata_key: microscop}}}\nDevices: {microscope: {name: M}}",
            "device_metadata_key is 'microscop', which is not in Devices; did you mean microscope?",
        ),
        (
            "Ophys: {MicroscopySeries: {s: {imaging_plane_metadata_key: p}}}",
            "imaging_plane_metadata_key is 'p', which is not in Ophys.ImagingPlanes",
        ),
        (
            "Ophys: {ImagingPlanes: {p: {device_metadata_key: m}}}\n"
            "Devices: {m: {name: M, device_model_metadata_key: x}}",
            "a device names the model x, which is not in DeviceModels",
        ),
        (
            "Ophys: {ImagingPlane: [{grid_spacing: [8.0e-7, 8.0e-7], grid_spacing_unit: meters}]}",
            "grid_spacing is in meters; write it in micrometres, and leave out grid_spacing_unit",
        ),
        ("Ophys: {Fluoresence: {}}", "Ophys has an unknown key Fluoresence; did you mean Fluorescence?"),
        ("Ecephis: {}", "the file has an unknown key Ecephis; did you mean Ecephys?"),
    ],
)
def test_what_leads_nowhere_is_refused(tmp_path, text, words):
    with pytest.raises(BadMetadata, match=words):
        written(tmp_path, text)


@pytest.mark.parametrize(
    ("ophys", "words"),
    [
        ({"ImagingPlane": [{"device": "Bergamo"}]}, "no Device named Bergamo; it has: TwoMicroscope"),
        ({"ImagingPlane": [{"name": "TwoPlan"}]}, "no ImagingPlane named TwoPlan; did you mean TwoPlane?"),
        ({"Device": [{"name": "A"}, {"name": "B"}]}, "no Device named A; it has: TwoMicroscope"),
        ({"TwoPhotonSeries": [{"name": "Tow"}]}, "no TwoPhotonSeries named Tow; it has: Two"),
    ],
)
def test_a_name_that_is_neither_the_recording_s_nor_the_lab_s_is_refused(ophys, words):
    with pytest.raises(BadMetadata, match=words):
        overlay(two(), check({"Ophys": ophys}))


@pytest.mark.parametrize("kind", ["MicroscopySeries", "TwoPhotonSeries"])
def test_the_name_that_neuroconv_gives_a_series_by_itself_speaks_of_any(kind):
    given = check({"Ophys": {kind: [{"name": kind, "description": "the movie"}]}})
    session = overlay(two(), given)
    assert [movie.description for movie in session.of(Movie)] == ["the movie"]
    (field,) = [f for f in fields(session, given) if f.key == "Ophys.TwoPhotonSeries.description"]
    assert field.origin == "user"


def test_a_key_without_use_is_not_offered():
    with pytest.raises(BadMetadata, match=r"there is no key identifier; (?!.*source_script)"):
        from_settings(["NWBFile.identifier=x"])


def test_the_hint_is_in_the_result(tmp_path, neurofinder):
    content = {"Ecephys": {}, "Subject": {"sex": "F"}}
    result = nwbridge.convert(neurofinder, tmp_path / "out.nwb", metadata=content)
    assert [f.message for f in result.findings if f.check == "metadata"] == ["not used from the metadata: Ecephys"]
