from dicomanon.devices import DeviceKey


def _key(**changed: str) -> DeviceKey:
    values = {
        "modality": "us",
        "manufacturer": " Acme  Medical ",
        "model": "One",
        "software_versions": "1.0 \\ b",
        "image_type": "ORIGINAL\\PRIMARY\\ABDOMINAL\\0001",
        **changed,
    }
    return DeviceKey.of(**values, sop_class_uid="1.2", rows=4, columns=None)


def test_case_and_spacing_make_no_other_device() -> None:
    assert _key() == _key(modality="US", manufacturer="ACME MEDICAL", software_versions="1.0\\B")


def test_how_a_picture_was_made_makes_no_other_device_and_what_it_shows_does() -> None:
    assert _key() == _key(image_type="DERIVED\\SECONDARY\\ABDOMINAL\\0001")
    assert _key() != _key(image_type="ORIGINAL\\PRIMARY\\CARDIAC\\0001")
    assert _key(image_type="ORIGINAL").image_type == ""


def test_survives_json_and_prints_nothing() -> None:
    assert DeviceKey.from_json(_key().to_json()) == _key()
    assert "ACME" not in f"{_key()!r} {_key()}"
