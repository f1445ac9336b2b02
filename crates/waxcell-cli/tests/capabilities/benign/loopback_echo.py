"""An echo server and its client on the loopback interface."""
import socket
import threading


def serve(server):
    connection, _ = server.accept()
    with connection:
        connection.sendall(connection.recv(100).upper())


with socket.create_server(("127.0.0.1", 0)) as server:
    thread = threading.Thread(target=serve, args=(server,))
    thread.start()
    with socket.create_connection(server.getsockname()) as client:
        client.sendall(b"hello")
        print(client.recv(100).decode())
    thread.join()
