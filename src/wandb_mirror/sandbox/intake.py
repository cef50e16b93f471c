"""Where runs are logged: ``file_stream``, and the uploads of run files.

Uploads come by signed URL, without a key; the stream comes with one.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from wandb_mirror.sandbox.doors import Door, knows, target_of
from wandb_mirror.sandbox.engine import read_payload
from wandb_mirror.sandbox.faults import Fault
from wandb_mirror.sandbox.streams import StreamProblem

STREAM = "/files/{entity}/{project}/{run_id}/file_stream"


class Intake(Door):
    """The doors that logging clients use."""

    async def stream(self, request: Request) -> Response:
        """Take lines of a run's files."""
        return await self.serve(request, "file_stream", self._stream)

    def _stream(self, request: Request, body: bytes, _fault: Fault) -> Response:
        if not knows(request, self.world.api_key):
            return JSONResponse({"error": "unauthorized"}, 401)
        values = request.path_params
        with self.world.lock:
            project = self.world.find_project(values["entity"], values["project"])
            run = None if project is None else project.runs.get(values["run_id"])
            if run is None or run.deleted_at is not None:
                return JSONResponse({"error": "run not found"}, 404)
            try:
                self.world.stream(run, read_payload(body))
            except StreamProblem as problem:
                return JSONResponse({"error": str(problem)}, 400)
            stopped = {"stopped": True} if run.is_stopped else {}
        return JSONResponse({"exitcode": None, "limits": {}, **stopped})

    async def upload(self, request: Request) -> Response:
        """Take a run file."""
        return await self.serve(request, "upload", self._upload)

    def _upload(self, request: Request, body: bytes, _fault: Fault) -> Response:
        with self.world.lock:
            if not self.world.tickets.admit(target_of(request)):
                return Response(status_code=403)
            entity, project, run_id, name = request.path_params["path"].split("/", 3)
            self.world.upload(f"{entity}/{project}/{run_id}", name, body)
        return Response(status_code=200)
