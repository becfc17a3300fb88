"""The researchers' read-only DICOMweb door to the research PACS: what a token's project was released, and no more."""
