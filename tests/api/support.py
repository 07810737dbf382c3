KEY = "a-secret-key-0123456789"
