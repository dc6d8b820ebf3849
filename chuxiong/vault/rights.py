TABLES = {
    "vault_identifier": {"intake": "SELECT, INSERT"},
    "vault_batchkey": {"intake": "SELECT, INSERT, DELETE"},
}
