"""Forgetting: takes people out of all that was made of them, keeps them out, and proves it.

`forgetting.forget` is the whole path; the modules beside it are its steps. Each can be cut off anywhere: what was asked
is written down first, and is gone on with the next time.
"""
