TABLES = {
    "vault_identifier": {"intake": "SELECT, INSERT, DELETE"},
    "vault_batchkey": {"intake": "SELECT, INSERT, DELETE"},
}
