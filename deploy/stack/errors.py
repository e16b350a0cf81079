"""What can go wrong with the local stack, each in one sentence that says what to do."""


class StackError(Exception):
    """Ends a command of the stack with its sentence and exit code 1."""


class ToolMissing(StackError):
    def __init__(self, tool: str, package: str) -> None:
        super().__init__(f"the stack needs {tool}, which is not on this machine; on Debian: apt-get install {package}")


class DownloadFailed(StackError):
    def __init__(self, what: str, output: str) -> None:
        super().__init__(f"{what} could not be had from Maven's repository: {output}\nCheck the network and try again.")


class PartFailed(StackError):
    """A part ended, or was not ready in time."""

    def __init__(self, name: str, problem: str, log: str) -> None:
        super().__init__(f"{name} {problem}. The end of its log:\n{log}")


class OtherCluster(StackError):
    """Kafka's data is of another number of brokers; it is not thrown away unasked."""

    def __init__(self, folder: str, brokers: str) -> None:
        super().__init__(
            f"the data of Kafka in {folder} is of {brokers} broker(s): start it with BROKERS={brokers}, or remove it"
        )


class StackBusy(StackError):
    def __init__(self, folder: str) -> None:
        super().__init__(f"another make stack or make stack-stop is at work in {folder}; wait for it")


class StackRunning(StackError):
    """It runs, with another number of brokers than asked for."""

    def __init__(self, brokers: int) -> None:
        super().__init__(f"the stack runs with {brokers} broker(s); end it first: make stack-stop")
