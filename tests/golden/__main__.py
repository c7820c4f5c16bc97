"""``python -m tests.golden`` runs the reference scenarios again and stores their fingerprints.

Do so where a change of what the simulator does is meant, and say in the commit what changed.
"""

from tests.golden.fingerprints import PATH, as_text

PATH.write_text(as_text(), encoding="utf-8")
print(f"stored {PATH}")
