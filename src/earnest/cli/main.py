"""`earnest`: the command line. Reads arguments, calls one command, turns its end into an exit code.

    0 ok · 1 internal error · 2 usage or config · 3 a gate refused, regressed, no signal, or --require not met
    4 missing dependency or hardware · 130 interrupted

Commands live one to a file beside this one and import what they need when they run.
"""

from __future__ import annotations

import os
import sys
import traceback

from cyclopts import App, CycloptsError, Parameter

from earnest import __version__
from earnest.cli import audit, compare, data, doctor, evaluate, init, listing, report, rollouts, run, say, track, verify
from earnest.errors import ConfigError, EarnestError, Interrupted, MissingDependency
from earnest.evaluate.text import visible
from earnest.evaluate.warned import told_plainly

app = App(
    name="earnest",
    help="From a base language model to a reasoning model, and an honest answer to whether it got there.",
    version=__version__,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
app.command(run.run)
app.command(init.init)
app.command(evaluate.evaluate, name="eval")
app.command(compare.compare)
app.command(rollouts.rollouts)
app.command(report.report)
app.command(run.resume)
app.command(track.track)
app.command(listing.list_, name="list")
app.command(verify.verify)
app.command(audit.audit)
app.command(data.app)
app.command(doctor.doctor)


def main() -> None:
    """Entry point of the `earnest` script."""
    sys.exit(outcome(sys.argv[1:]))


def outcome(arguments: list[str]) -> int:
    """Run one command line; returns its exit code."""
    as_json = "--json" in arguments
    try:
        with told_plainly(say.warning):
            return app(arguments, exit_on_error=False, print_error=False, result_action="return_value") or 0
    except CycloptsError as error:
        return say.failure(_usage(error, arguments), as_json)
    except EarnestError as error:
        return say.failure(error, as_json)
    except KeyboardInterrupt:
        return say.failure(Interrupted("interrupted"), as_json)
    except BrokenPipeError:  # the reader of our output has gone, as in `earnest list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "earnest":
            return _internal(error)
        remedy = "`earnest doctor` says what is missing and how to install it"
        return say.failure(
            MissingDependency(f"the Python module '{error.name}' is not installed", remedy=remedy), as_json
        )
    except Exception as error:
        return _internal(error)


def _usage(error: CycloptsError, arguments: list[str]) -> ConfigError:
    error.verbose = False
    command = f"earnest {arguments[0]}" if arguments and arguments[0] in app else "earnest"
    return ConfigError(str(error).strip(), remedy=f"{command} --help")


def _internal(error: Exception) -> int:
    told = f"internal error: {type(error).__name__}: {error}\n  a fault of earnest, not of yours:\n"
    sys.stderr.write(visible(told + "".join(traceback.format_exception(error))))
    return 1
