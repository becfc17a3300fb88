# A cohort request through Airflow's REST API, from R: install.packages(c("httr", "jsonlite"))
#
#   AIRFLOW_PASSWORD=… Rscript cohort_request.R request.json http://127.0.0.1:8080 researcher
#
# request.json holds the parameters, for example
#   {"project": "demo", "patient_ids": ["12345678"], "study_date_from": "2000-01-31", "modality": ["CT"]}
# Airflow's door seals what identifies patients; `dicomanon seal` does so before it leaves your machine.

library(httr)

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) != 3) stop("give the file of the request, Airflow's address and your login")
conf <- jsonlite::read_json(arguments[1])
airflow <- sub("/$", "", arguments[2])
password <- Sys.getenv("AIRFLOW_PASSWORD")
runs <- paste0(airflow, "/api/v2/dags/cohort_extraction/dagRuns")

answer <- POST(paste0(airflow, "/auth/token"), body = list(username = arguments[3], password = password), encode = "json")
stop_for_status(answer, "log in")
login <- add_headers(Authorization = paste("Bearer", content(answer)$access_token))

ask <- function(...) content(GET(paste(runs, ..., sep = "/"), login))

# A field that is NULL must be sent as null: Airflow wants a logical_date, even if it is none.
body <- jsonlite::toJSON(list(logical_date = NULL, conf = conf), auto_unbox = TRUE, null = "null")
answer <- POST(runs, login, content_type_json(), body = body)
if (http_error(answer)) stop(content(answer)$detail)
run <- content(answer)$dag_run_id

repeat {
  state <- ask(run)$state
  if (state %in% c("success", "failed")) break
  Sys.sleep(1)
}
if (state == "success") {
  counts <- ask(run, "taskInstances/summarise/xcomEntries/return_value")$value
  cat(jsonlite::toJSON(counts, auto_unbox = TRUE, pretty = TRUE), "\n")
} else {
  # What to correct, by parameter and position, never the value.
  events <- ask(run, "taskInstances/validate_request/logs/1")$content
  for (event in events) if (!is.null(event$error_detail)) cat(event$error_detail[[1]]$exc_value, "\n")
  quit(status = 1)
}
