TABLES = {
    "work_job": {
        "worker": "SELECT, INSERT, UPDATE, DELETE",
        "web": "SELECT, INSERT",
        "intake": "SELECT, INSERT",
    },
    "work_day": {"worker": "SELECT, INSERT"},
}
STATEMENTS = ["create table if not exists work_day (day date primary key)"]
