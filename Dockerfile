# wandb-mirror in a container: the mirror lies in the volume /mirror, the command is the image's.
#   docker build -t wandb-mirror .
#   docker run -e WANDB_API_KEY -v mirror:/mirror wandb-mirror sync team/project
#   docker run -d --restart unless-stopped -e WANDB_API_KEY -e WANDB_ENTITY=team -v mirror:/mirror wandb-mirror
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY migrations migrations
RUN pip install --no-cache-dir --prefix=/installed .

FROM python:3.13-slim
COPY --from=build /installed /usr/local
RUN useradd --create-home --uid 10001 mirror && install -d -o mirror -m 0700 /mirror
USER mirror
WORKDIR /mirror
ENV WANDB_MIRROR=/mirror PYTHONUNBUFFERED=1
VOLUME /mirror
STOPSIGNAL SIGTERM
ENTRYPOINT ["wandb-mirror"]
CMD ["sync", "--watch", "300"]
