"""DICOMweb (PS3.18): what the clinical PACS has, its bytes as a stream, and stores whose receipts are read."""
