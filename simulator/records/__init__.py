"""What is written of a run: columns, tables, the recorder, the run folder, the summary."""
