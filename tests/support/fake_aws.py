"""The few AWS calls that are read, on loopback: IAM and EC2 by forms and XML, EKS by JSON."""

from __future__ import annotations

import fnmatch
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.timing import PATIENCE

REGION = "eu-west-1"
ACCOUNT = "111122223333"
ACCESS_KEY = "AKIACANARYCANARY0001"
SECRET_KEY = "secret-key-canary-0001"
SESSION_TOKEN = "session-token-canary-0001"

IAM_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
EC2_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it arrived: the action, and its parameters."""

    action: str
    parameters: dict[str, str]
    user_agent: str

    def values(self, start: str) -> list[str]:
        """Return the parameters whose names start so."""
        return [value for name, value in self.parameters.items() if name.startswith(start)]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/xml"


def iam_error(status: int, code: str) -> Reply:
    """Refuse as IAM does, repeating what nobody should read."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{ACCESS_KEY} may not</Message></Error>"
    return Reply(status=status, body=f'<ErrorResponse xmlns="{IAM_NAMESPACE}">{error}</ErrorResponse>'.encode())


def ec2_error(status: int, code: str) -> Reply:
    """Refuse as EC2 does."""
    error = f"<Errors><Error><Code>{code}</Code><Message>{ACCESS_KEY} may not</Message></Error></Errors>"
    return Reply(status=status, body=f"<Response>{error}<RequestID>r-1</RequestID></Response>".encode())


def eks_error(status: int, code: str, message: str = "no") -> Reply:
    """Refuse as EKS does."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return Reply(status=status, body=body, content_type="application/json")


@dataclass
class FakeAws:
    """Serves what its fields say, for as long as the ``with`` block lasts; ``page`` items at once.

    ``profiles`` are role names by the path and name of an instance profile, None for one without a role; ``entries``
    the principals by EKS cluster, ``entry_types`` the types that are not EC2_LINUX, ``mode`` the authentication mode
    (empty for a cluster that is older than modes); ``subnets`` zones and ``instances`` states by id; ``types``
    (vCPUs, MiB, GPUs, architectures) by name; ``quotas`` by code, ``running`` (type, lifecycle, cores) by instance id,
    ``launched`` (Auto Scaling Group, state, time) by instance id,
    ``free`` addresses and CIDR ``blocks`` by subnet, ``limits`` (interfaces, addresses of each, attachments, type of
    their limit) and ``prices`` (unit and price) by instance type.
    ``replies`` are answers, or what makes them, by action; each is given until it is taken away.
    """

    profiles: dict[str, str | None] = field(default_factory=dict)
    entries: dict[str, list[str]] = field(default_factory=dict)
    entry_types: dict[str, str] = field(default_factory=dict)
    mode: str = "API_AND_CONFIG_MAP"
    subnets: dict[str, str] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)
    types: dict[str, tuple[int, int, int, tuple[str, ...]]] = field(default_factory=dict)
    quotas: dict[str, float] = field(default_factory=dict)
    running: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    launched: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)
    prices: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    limits: dict[str, tuple[int, int, int, str]] = field(default_factory=dict)
    replies: dict[str, Reply | Callable[[Asked], Reply | None]] = field(default_factory=dict)
    page: int = 100
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if target := self.headers["X-Amz-Target"]:
                    self._answer(target.rpartition(".")[2], json.loads(body))
                    return
                form = dict(parse_qsl(body))
                self._answer(form.pop("Action"), form)

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                match = re.fullmatch(r"/clusters/([^/]+)(?:(/access-entries)(?:/(.+))?)?", parts.path)
                cluster, listed, principal = match.groups() if match else ("", "", "")
                action = "DescribeAccessEntry" if principal else "ListAccessEntries" if listed else "DescribeCluster"
                parameters = {"cluster": unquote(cluster), "principal": unquote(principal or "")}
                self._answer(action, {**parameters, **dict(parse_qsl(parts.query))})

            def _answer(self, action: str, parameters: dict[str, str]) -> None:
                asked = Asked(action=action, parameters=parameters, user_agent=self.headers["User-Agent"])
                fake.asked.append(asked)
                reply = fake.reply(asked)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    @property
    def actions(self) -> list[str]:
        """What was asked, in order."""
        return [asked.action for asked in self.asked]

    def silence(self, asked: Asked) -> Reply:
        """Answer only when the test is over, or ``released`` is set."""
        self.released.wait(PATIENCE)
        return Reply(status=503)

    def reply(self, asked: Asked) -> Reply:
        """Return the answer to a request."""
        special = self.replies.get(asked.action)
        reply = special(asked) if callable(special) else special
        return reply or getattr(self, f"_{asked.action}")(asked)

    def _GetInstanceProfile(self, asked: Asked) -> Reply:
        name = asked.parameters["InstanceProfileName"]
        path = next((path for path in self.profiles if path.rpartition("/")[2] == name), None)
        if path is None:
            return iam_error(404, "NoSuchEntity")
        role = self.profiles[path]
        roles = f"<member><Arn>arn:aws:iam::{ACCOUNT}:role/{role}</Arn></member>" if role else ""
        profile = f"<Arn>arn:aws:iam::{ACCOUNT}:instance-profile/{path}</Arn><Roles>{roles}</Roles>"
        body = f"<GetInstanceProfileResult><InstanceProfile>{profile}</InstanceProfile></GetInstanceProfileResult>"
        return Reply(
            body=f'<GetInstanceProfileResponse xmlns="{IAM_NAMESPACE}">{body}</GetInstanceProfileResponse>'.encode()
        )

    def _ListAccessEntries(self, asked: Asked) -> Reply:
        cluster = asked.parameters["cluster"]
        if cluster not in self.entries:
            return eks_error(404, "ResourceNotFoundException")
        found, token = self._paged(self.entries[cluster], asked.parameters.get("nextToken"))
        body: dict[str, Any] = {"accessEntries": found, **({"nextToken": token} if token else {})}
        return Reply(body=json.dumps(body).encode(), content_type="application/json")

    def _DescribeAccessEntry(self, asked: Asked) -> Reply:
        principal = asked.parameters["principal"]
        if principal not in self.entries[asked.parameters["cluster"]]:
            return eks_error(404, "ResourceNotFoundException")
        entry = {"principalArn": principal, "type": self.entry_types.get(principal, "EC2_LINUX")}
        return Reply(body=json.dumps({"accessEntry": entry}).encode(), content_type="application/json")

    def _DescribeCluster(self, asked: Asked) -> Reply:
        access = {"accessConfig": {"authenticationMode": self.mode}} if self.mode else {}
        cluster = {"name": asked.parameters["cluster"], **access}
        return Reply(body=json.dumps({"cluster": cluster}).encode(), content_type="application/json")

    def _DescribeSubnets(self, asked: Asked) -> Reply:
        wanted = asked.values("Filter.1.Value")
        found, token = self._paged([name for name in self.subnets if name in wanted], asked.parameters.get("NextToken"))
        items = "".join(
            f"<item><subnetId>{name}</subnetId><availabilityZone>{self.subnets[name]}</availabilityZone>"
            + (f"<availableIpAddressCount>{self.free[name]}</availableIpAddressCount>" if name in self.free else "")
            + (f"<cidrBlock>{self.blocks[name]}</cidrBlock>" if name in self.blocks else "")
            + "</item>"
            for name in found
        )
        return _ec2(asked.action, f"<subnetSet>{items}</subnetSet>", token)

    def _GetServiceQuota(self, asked: Asked) -> Reply:
        quota = {"QuotaCode": asked.parameters["QuotaCode"], "Value": self.quotas[asked.parameters["QuotaCode"]]}
        return Reply(body=json.dumps({"Quota": quota}).encode(), content_type="application/x-amz-json-1.1")

    def _GetProducts(self, asked: Asked) -> Reply:
        wanted = {each["Field"]: each["Value"] for each in asked.parameters["Filters"]}
        found = [
            {"priceDimensions": {"d": {"unit": unit, "pricePerUnit": {"USD": price}}}}
            for unit, price in self.prices.get(wanted["instanceType"], ())
        ]
        products = [json.dumps({"product": {}, "terms": {"OnDemand": {"t": offer}}}) for offer in found]
        return Reply(body=json.dumps({"PriceList": products}).encode(), content_type="application/x-amz-json-1.1")

    def _DescribeInstances(self, asked: Asked) -> Reply:
        if asked.parameters["Filter.1.Name"] == "instance-state-name":
            found, token = self._paged(list(self.running), asked.parameters.get("NextToken"))
            items = "".join(
                f"<item><instancesSet><item><instanceId>{name}</instanceId><instanceType>{kind}</instanceType>"
                f"{f'<instanceLifecycle>{lifecycle}</instanceLifecycle>' if lifecycle else ''}"
                f"<cpuOptions><coreCount>{cores}</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>"
                "</item></instancesSet></item>"
                for name, (kind, lifecycle, cores) in ((name, self.running[name]) for name in found)
            )
            return _ec2(asked.action, f"<reservationSet>{items}</reservationSet>", token)
        wanted = asked.values("Filter.1.Value")
        if asked.parameters["Filter.1.Name"] == "tag:aws:autoscaling:groupName":
            # A value of a filter may hold wildcards, as in EC2.
            groups = [
                name for name, (asg, _, _) in self.launched.items() if any(fnmatch.fnmatchcase(asg, w) for w in wanted)
            ]
            found, token = self._paged(groups, asked.parameters.get("NextToken"))
            items = "".join(
                f"<item><instancesSet><item><instanceId>{name}</instanceId><launchTime>{launched}</launchTime>"
                f"<instanceState><code>0</code><name>{state}</name></instanceState><tagSet><item>"
                f"<key>aws:autoscaling:groupName</key><value>{asg}</value></item></tagSet></item></instancesSet></item>"
                for name, (asg, state, launched) in ((name, self.launched[name]) for name in found)
            )
            return _ec2(asked.action, f"<reservationSet>{items}</reservationSet>", token)
        known = [name for name in self.instances if name in wanted]
        found, token = self._paged(known, asked.parameters.get("NextToken"))
        items = "".join(
            f"<item><instancesSet><item><instanceId>{name}</instanceId><instanceState><code>0</code>"
            f"<name>{self.instances[name]}</name></instanceState></item></instancesSet></item>"
            for name in found
        )
        return _ec2(asked.action, f"<reservationSet>{items}</reservationSet>", token)

    def _DescribeInstanceTypes(self, asked: Asked) -> Reply:
        patterns = asked.values("Filter.1.Value")
        matching = [name for name in self.types if any(fnmatch.fnmatchcase(name, each) for each in patterns)]
        found, token = self._paged(matching, asked.parameters.get("NextToken"))
        items = "".join(_type(name, *self.types[name], self.limits.get(name)) for name in found)
        return _ec2(
            asked.action,
            f"<instanceTypeSet>{items}</instanceTypeSet>",
            token,
        )

    def _paged(self, items: list[str], token: str | None) -> tuple[list[str], str | None]:
        start = int(token or 0)
        end = start + self.page
        return items[start:end], str(end) if end < len(items) else None


def _type(
    name: str,
    cpus: int,
    memory: int,
    gpus: int,
    architectures: tuple[str, ...],
    limits: tuple[int, int, int, str] | None,
) -> str:
    gpu = f"<gpuInfo><gpus><item><name>T4</name><count>{gpus}</count></item></gpus></gpuInfo>" if gpus else ""
    supported = "".join(f"<item>{each}</item>" for each in architectures)
    return (
        f"<item><instanceType>{name}</instanceType><vCpuInfo><defaultVCpus>{cpus}</defaultVCpus></vCpuInfo>"
        f"<memoryInfo><sizeInMiB>{memory}</sizeInMiB></memoryInfo>{gpu}"
        f"<processorInfo><supportedArchitectures>{supported}</supportedArchitectures></processorInfo>"
        f"{_limits(*limits) if limits else ''}</item>"
    )


def _limits(interfaces: int, addresses: int, attachments: int, kind: str) -> str:
    return (
        f"<networkInfo><maximumNetworkInterfaces>{interfaces}</maximumNetworkInterfaces>"
        f"<ipv4AddressesPerInterface>{addresses}</ipv4AddressesPerInterface></networkInfo>"
        f"<ebsInfo><maximumEbsAttachments>{attachments}</maximumEbsAttachments>"
        f"<attachmentLimitType>{kind}</attachmentLimitType></ebsInfo>"
        "<instanceStorageInfo><disks><item><count>2</count></item></disks></instanceStorageInfo>"
    )


def _ec2(action: str, body: str, token: str | None) -> Reply:
    following = f"<nextToken>{token}</nextToken>" if token else ""
    return Reply(body=f'<{action}Response xmlns="{EC2_NAMESPACE}">{body}{following}</{action}Response>'.encode())
