"""What is suspect in a set: functions over arrays that find duplicates, blank inputs and wrong labels."""
