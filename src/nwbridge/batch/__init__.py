"""Many recordings at once: found below a folder, converted in processes, each result told as it ends."""
