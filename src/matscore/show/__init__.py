"""What a terminal shows: tables, plans, pictures."""
