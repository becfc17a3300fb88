"""Independent check of de-identified objects: shares no detection code with the room that made them."""
