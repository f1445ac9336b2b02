import multiprocessing as mp


def work(queue):
    queue.put("from the child")


if __name__ == "__main__":
    queue = mp.Queue()
    process = mp.Process(target=work, args=(queue,))
    process.start()
    print(queue.get())
    process.join()
