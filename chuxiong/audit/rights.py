TABLES = {
    "audit_auditevent": {"web": "INSERT", "worker": "INSERT", "intake": "INSERT"},
}
