SELECT crosswalk.pages_record(gen_random_uuid(), 'ravi', 'release.read', 'release', '88888888-0000-4000-8000-000000000001');
