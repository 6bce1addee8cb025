"""A plugin of `aws` that answers the functions of the component, and has no resources."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from concurrent import futures
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.component.whole_stack import answer_aws

_ROOT = Path(__file__).parents[2]
ANSWERS = "TEST_AWS_ANSWERS"
"""The variable that names a file with answers of a test: what each function says beside its usual answer, or text of an
error, by its token, or by token and name of what is asked for."""


class AwsPlugin(provider_pb2_grpc.ResourceProviderServicer):
    """Answers as the mocks of the component's tests."""

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Return the version that the program asks for."""
        return plugin_pb2.PluginInfo(version=version("pulumi-aws"))

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Take every configuration."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        """Compare nothing."""
        return provider_pb2.DiffResponse()

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Need nothing."""
        return provider_pb2.ConfigureResponse()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        """Answer a function."""
        answer, args = struct_pb2.Struct(), json_format.MessageToDict(request.args)
        changed = _read_answer(request.tok, args)
        if isinstance(changed, str):
            context.abort(grpc.StatusCode.UNKNOWN, changed)
        json_format.ParseDict({**answer_aws(request.tok, args), **changed}, answer)
        # `return` is a word of Python.
        return provider_pb2.InvokeResponse(**{"return": answer})

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """End nothing."""
        return empty_pb2.Empty()


def _read_answer(token: str, args: Mapping[str, Any]) -> dict[str, Any] | str:
    """Return what a test lets a function say; an error is text."""
    path = Path(os.environ.get(ANSWERS, os.devnull))
    answers = json.loads(path.read_text(encoding="utf-8") or "{}") if path.exists() else {}
    name = args.get("nodeGroupName") or args.get("name")
    found: dict[str, Any] | str = answers.get(f"{token} {name}", answers.get(token, {}))
    return found


def install(directory: Path) -> Path:
    """Write the command that the engine starts, and return the directory, for the PATH."""
    directory.mkdir()
    command = directory / "pulumi-resource-aws"
    lines = [
        f"#!{sys.executable}",
        "import sys",
        f"sys.path.insert(0, {str(_ROOT)!r})",
        "from tests.support.aws_plugin import serve",
        "serve()",
    ]
    command.write_text("\n".join([*lines, ""]), encoding="utf-8")
    command.chmod(0o755)
    return directory


def serve() -> None:
    """Serve until the engine ends this process."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    register: Any = provider_pb2_grpc.add_ResourceProviderServicer_to_server
    register(AwsPlugin(), server)
    sys.stdout.write(f"{server.add_insecure_port('127.0.0.1:0')}\n")
    sys.stdout.flush()
    server.start()
    while True:
        time.sleep(60)
