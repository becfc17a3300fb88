def test_dbg(ingested):
    from tests.promises.test_5_one_patient_one_pseudonym import pairs, values, REFERENCE
    from dicomanon.deidentify import UidMapper
    m = UidMapper(ingested.site.keyring.uid_key)
    for s, r in pairs(ingested):
        b = {m(u) for u in values(s, REFERENCE)}
        extra = set(values(r, REFERENCE)) - b
        if extra:
            def walk(ds, path=""):
                for e in ds:
                    if e.VR == "SQ":
                        for i, it in enumerate(e.value): walk(it, f"{path}/{e.keyword}[{i}]")
                    elif e.keyword == REFERENCE: print(s.Modality, path, e.value in extra, e.value)
            walk(r)
            print("SOURCE")
            walk(s)
            break
