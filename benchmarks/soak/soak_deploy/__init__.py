"""What the soak runs: a web server, two loops of which one beats, and a cron."""
