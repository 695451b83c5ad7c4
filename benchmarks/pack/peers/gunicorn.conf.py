# Luggage's own settings (luggage/run/server.py), but for its worker class.
wsgi_app = "plain.wsgi:app"
bind = "0.0.0.0:8000"
workers = 2
threads = 8
worker_class = "gthread"
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
graceful_timeout = 30
accesslog = "-"
