"""Statements that are repeated until a query says 0, as each engine has it in a script without a procedure."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from profiles_pipeline.dialects.capabilities import Loops, capabilities

REPEATED = 8
"""How often statements stand in a script for an engine without loops."""

_LOOPS: dict[Loops, str] = {
    "block": """
EXECUTE IMMEDIATE $$
DECLARE
  edges_left INTEGER;
BEGIN
  LOOP
{body}
    edges_left := ({left});
    IF (edges_left = 0) THEN
      BREAK;
    END IF;
  END LOOP;
END;
$$;""",
    "script": """
BEGIN
  DECLARE edges_left INT64;
  LOOP
{body}
    SET edges_left = ({left});
    IF edges_left = 0 THEN
      BREAK;
    END IF;
  END LOOP;
END;""",
    "compound": """
BEGIN
  DECLARE edges_left BIGINT;
  rounds: LOOP
{body}
    SET edges_left = ({left});
    IF edges_left = 0 THEN
      LEAVE rounds;
    END IF;
  END LOOP rounds;
END;""",
}


def repeated(statements: Sequence[str], left: str, check: str, dialect: str) -> list[str]:
    """Return the lines of a script that runs statements again and again while there are edges left.

    Args:
        statements: what is repeated, each without the semicolon at its end.
        left: query of one number: how many edges are left.
        check: query that fails while some are.
        dialect: for which engine.
    """
    body, loop = "\n".join(f"{each};" for each in statements), _LOOPS.get(capabilities(dialect).loops)
    if loop is not None:
        flat = " ".join(left.split())
        return loop.strip("\n").format(body=indent(body, " " * 4), left=flat).splitlines()
    lines = [f"-- there are no loops here: the same {REPEATED} times, by which few graphs are not done"]
    for number in range(1, REPEATED + 1):
        lines += [f"-- {number} of {REPEATED}:", *body.splitlines()]
    return [*lines, "-- fails where edges are left: then what stands between is to be run once more", f"{check};"]
