"""Files that appear whole or not at all, and arrays in files whose every byte is checked."""
