INSERT INTO crosswalk.research_facts (series_id, digest, facts)
VALUES ('66666666-0000-4000-8000-000000000001', '\x92', '{"BodyPartExamined": "CHEST"}');
UPDATE crosswalk.instance SET research_facts_id = (SELECT id FROM crosswalk.research_facts) WHERE state = 'validated';
INSERT INTO crosswalk.release_record (release_id, record_sealed)
VALUES ('88888888-0000-4000-8000-000000000001', '\xc4');
