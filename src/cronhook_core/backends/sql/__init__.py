"""What the SQL stores share: tables, rows, migrations, reads, and the API's writes."""
