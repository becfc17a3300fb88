"""What the Airflow plugin mounts in the api-server: the sealing of requests, and pages."""
