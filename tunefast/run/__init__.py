"""The processes: one coordinator of a database, hosts that lend slots to it, workers that train on them.

Called, it is `tunefast.api.run`: works on a study until it ends.
"""

from tunefast.callable import make_callable

make_callable(__name__, "tunefast.api")
