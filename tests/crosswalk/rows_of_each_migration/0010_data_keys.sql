INSERT INTO crosswalk.wrapping_key (number) VALUES (1);
INSERT INTO crosswalk.wrapping_key_slot (number, master, key_wrapped) VALUES (1, 'keyring', '\xf1');
INSERT INTO crosswalk.site_key (number, key_wrapped) VALUES (1, '\xf2');
