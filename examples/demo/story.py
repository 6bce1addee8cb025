"""The story: what happens from the first preview to the destroy, each claim checked against the simulator."""

from __future__ import annotations

from typing import Any, Final

from examples.demo.narrator import Narrator
from ocean_migration_pulumi.simulator import SimulatorControl

PROMPT_SECONDS: Final = 10.0
"""How soon after Ctrl-C a command has to have ended."""

RUNNING: Final = frozenset({"STARTING", "AWAIT_REPLACEMENTS", "HANDLE_UNSCHEDULE", "DRAIN_NODES", "VALIDATE_DRAIN"})


class Story:
    """Seven steps on one cluster; raises DisprovedError at the first claim that does not hold."""

    def __init__(self, narrator: Narrator, control: SimulatorControl, ocean_id: str) -> None:
        self._narrator = narrator
        self._control = control
        self._ocean_id = ocean_id
        self._mark = 0
        self._joined = ""
        self._speed = 0.0

    def tell(self) -> None:
        """Tell the whole story."""
        self._preview()
        self._migrate()
        self._nothing_to_do()
        self._node_joins()
        self._node_is_followed()
        self._interrupt_and_resume()
        self._destroy_while_running()

    def _preview(self) -> None:
        tell = self._narrator
        tell.step(
            "What would happen",
            "The program asks for the nodes of the Auto Scaling Groups that match web*. The preview shows one line for "
            "each node that will move, the digest of this plan, the batches, and what to look at first.",
        )
        self._turn_page()
        run = tell.run("preview")
        planned, web = run.planned, self._members("web")
        tell.proved("the preview ends well", run.exit_code == 0)
        tell.proved(
            f"it plans the {len(web)} nodes of web and none of the {self._count() - len(web)} others",
            bool(web) and planned.keys() == web,
        )
        tell.proved(
            "it tells the digest, the batches and what `pulumi up` will watch",
            all(part in run.text for part in ("Plan ", "batches", "Watched: ")),
        )
        reads = len(self._requests("GET"))
        tell.proved(f"it asked Spot {reads} times and wrote nothing", 0 < reads <= 6 and not self._writes())

    def _migrate(self) -> None:
        tell = self._narrator
        tell.step(
            "Migrate",
            "`up` starts the migration and waits: new nodes, drain, validation, batch by batch. (In a terminal of "
            "yours the row changes in place; here it is printed line by line, shortened.)",
        )
        self._turn_page()
        run = tell.run("up")
        tell.proved("`up` ends well", run.exit_code == 0)
        states = ("AWAIT_REPLACEMENTS", "DRAIN_NODES", "VALIDATE_DRAIN", "FINISHED")
        tell.proved(f"its row went through {', '.join(states)}", all(f"{state} " in run.text for state in states))
        latest = self._latest()
        tell.proved(
            f"Spot started one migration, {latest['id']}, and it is {latest['state']}",
            self._started() == [latest["id"]] and latest["state"] == "FINISHED",
        )
        web = self._members("web")
        tell.proved(
            f"the {len(web)} old nodes are drained and stay: nothing is terminated unless the program says so",
            all(node["drained"] and not node["terminated"] for node in self._nodes() if node["instance_id"] in web),
        )

    def _nothing_to_do(self) -> None:
        tell = self._narrator
        tell.step("Once more", "Nothing has changed, so nothing may happen: no diff, no call that writes.")
        self._turn_page()
        run = tell.run("up")
        tell.proved("no change", run.exit_code == 0 and run.operation in {"", "same"})
        tell.proved(f"{len(self._requests('GET'))} reads, no write in Spot's request log", not self._writes())

    def _node_joins(self) -> None:
        tell = self._narrator
        node = self._control.add_node(self._ocean_id, "web")
        self._joined = str(node["instance_id"])
        tell.step(
            "A node joins",
            f"The Auto Scaling Group web scales out: {self._joined} joins. An unrelated deploy must not drain it, so "
            "by default it is only reported.",
        )
        self._turn_page()
        run = tell.run("preview")
        tell.proved(f"the preview names {self._joined}", run.exit_code == 0 and self._joined in run.text)
        tell.proved("and has no diff", run.operation in {"", "same"} and not self._writes())

    def _node_is_followed(self) -> None:
        tell = self._narrator
        tell.step("Follow new nodes", 'With new_nodes="migrate" the program asks for nodes that join later, too.')
        before = self._members("web") - {self._joined}
        tell.configure("newNodes", "migrate")
        self._turn_page()
        run = tell.run("preview")
        tell.proved(
            f"the preview adds {self._joined} to the plan, and nothing else",
            run.exit_code == 0 and run.operation == "update" and run.planned.keys() - before == {self._joined},
        )
        self._turn_page()
        run = tell.run("up")
        latest = self._latest()
        tell.proved(
            f"`up` migrated {self._joined} alone: {latest['id']} is {latest['state']}",
            run.exit_code == 0
            and self._started() == [latest["id"]]
            and latest["instance_ids"] == [self._joined]
            and latest["state"] == "FINISHED",
        )

    def _interrupt_and_resume(self) -> None:
        tell = self._narrator
        tell.step(
            "Ctrl-C, and resume",
            "The group api comes next. In the middle of it somebody presses Ctrl-C: the wait ends, the migration "
            "continues in Ocean, and the state knows its id. The next `up` waits for it again.",
        )
        tell.configure("asgNames", "web*,api*")
        self._turn_page()
        run = tell.run("up", at="DRAIN_NODES")
        self._slow_down()
        latest = self._latest()
        seconds = run.seconds_after_interrupt
        tell.proved(
            f"Ctrl-C ended the command after {seconds or 0:.1f} s, as a failure",
            run.exit_code != 0 and seconds is not None and seconds < PROMPT_SECONDS,
        )
        tell.proved(
            f"{latest['id']} continues in Ocean; nobody stopped it",
            latest["state"] in RUNNING and not self._requests("PUT") and latest["stop_requested_at"] is None,
        )
        run = tell.run("up", at=" nodes, ", do=self._speed_up)
        latest = self._latest()
        tell.proved(
            f"the next `up` waited for it: {latest['id']} is {latest['state']}",
            run.exit_code == 0 and latest["state"] == "FINISHED",
        )
        tell.proved(
            "one start in Spot's request log for both runs",
            self._started() == [latest["id"]] and set(latest["instance_ids"]) == self._members("api"),
        )

    def _destroy_while_running(self) -> None:
        tell = self._narrator
        tell.step(
            "Destroy while it runs",
            "The group batch is being migrated when `destroy` comes: the migration is stopped, and STOPPED is waited "
            "for. Workloads that have moved stay where they are.",
        )
        tell.configure("asgNames", "web*,api*,batch*")
        self._turn_page()
        tell.run("up", at="DRAIN_NODES")
        self._slow_down()
        latest = self._latest()
        tell.proved(f"{latest['id']} is running", latest["state"] in RUNNING and latest["stop_requested_at"] is None)
        run = tell.run("destroy", at="stopping migration", do=self._speed_up)
        latest = self._latest()
        stops = self._requests("PUT")
        tell.proved("`destroy` ends well", run.exit_code == 0)
        tell.proved(
            f"Spot was asked to stop {latest['id']} once, and it is {latest['state']}",
            len(stops) == 1 and latest["state"] == "STOPPED" and set(latest["instance_ids"]) == self._members("batch"),
        )
        left = [node for node in self._nodes() if node["asg_name"] == "batch" and not node["drained"]]
        tell.proved(
            f"the nodes that it had not emptied, {len(left)} of {len(self._members('batch'))}, take pods again",
            bool(left) and not any(node["cordoned"] for node in left),
        )

    def _slow_down(self) -> None:
        """Let a minute last six seconds, or the migration ends before the next command has started."""
        self._speed = self._control.clock()["speed"]
        self._control.clock(speed=10)

    def _speed_up(self) -> None:
        self._control.clock(speed=self._speed)

    def _turn_page(self) -> None:
        """Look at the requests from here on only."""
        entries = self._control.requests()
        self._mark = entries[-1]["n"] if entries else 0

    def _requests(self, method: str) -> list[dict[str, Any]]:
        return self._control.requests(method=method, since=self._mark)

    def _writes(self) -> list[dict[str, Any]]:
        return [entry for entry in self._control.requests(since=self._mark) if entry["method"] != "GET"]

    def _started(self) -> list[str]:
        """Return the ids of the migrations that were started since the page was turned."""
        return [entry["migration_id"] for entry in self._control.requests(effective=True, since=self._mark)]

    def _latest(self) -> dict[str, Any]:
        return self._control.migrations(self._ocean_id)[-1]

    def _nodes(self) -> list[dict[str, Any]]:
        """Return the nodes that are not Ocean's own."""
        return [node for node in self._control.nodes(self._ocean_id) if not node["ocean_managed"]]

    def _members(self, asg_name: str) -> set[str]:
        return {node["instance_id"] for node in self._nodes() if node["asg_name"] == asg_name}

    def _count(self) -> int:
        return len(self._nodes())
