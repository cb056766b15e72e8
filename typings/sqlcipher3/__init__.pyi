"""What kinlight uses of sqlcipher3, which ships no types; its surface is that of sqlite3."""
