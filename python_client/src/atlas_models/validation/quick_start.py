"""The first import of the engine in a server process, which somebody waits for: as little as possible."""

import gc
import sys
from types import ModuleType


def import_engine() -> None:
    """Import jsonschema_rs without email.utils, and without collecting garbage meanwhile.

    The engine reads the date of its own build with email.utils as it is imported. That module brings sockets, calendars
    and character sets along: a fifth of what the first validated write of a connection waits for. Something that leaves
    the date a text stands in for it meanwhile.
    """
    if "jsonschema_rs" in sys.modules or "email.utils" in sys.modules:
        return
    stand_in = ModuleType("email.utils")
    stand_in.__dict__["parsedate_to_datetime"] = str
    collects = gc.isenabled()
    gc.disable()
    sys.modules["email.utils"] = stand_in
    try:
        import jsonschema_rs  # noqa: F401
    except (AttributeError, TypeError):
        pass  # another release wants more of it, and gets all of it when it is imported next
    finally:
        del sys.modules["email.utils"]
        if collects:
            gc.enable()
