try:
    import numpy_that_is_not_there as np
except ImportError:
    np = None
import statistics

values = [1, 2, 3, 4]
print(np.mean(values) if np else statistics.mean(values))
