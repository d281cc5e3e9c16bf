# One image per service: docker build --target capture|recorder|api .
# What is installed is exactly requirements/<service>.txt, checked by hash; no compiler and no pip's cache comes along.
FROM python:3.13-slim-trixie AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /app
# The same number in every image, so that the recorder's files are readable for the API. /clips is made here because a
# new named volume takes its owner from the image.
RUN groupadd --gid 10001 preroll \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin preroll \
    && install --directory --owner 10001 --group 10001 /clips
STOPSIGNAL SIGTERM

FROM base AS packages
# pip works from outside, so that the environment that is copied has none.
RUN python -m venv --without-pip /opt/venv

FROM packages AS capture-packages
COPY requirements/capture.txt .
RUN pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r capture.txt

FROM packages AS recorder-packages
COPY requirements/recorder.txt .
RUN pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r recorder.txt

FROM packages AS api-packages
COPY requirements/api.txt .
RUN pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r api.txt

FROM base AS code
COPY preroll preroll
COPY services/__init__.py services/

FROM code AS capture
COPY --from=capture-packages /opt/venv /opt/venv
COPY services/capture services/capture
RUN python -m compileall -q preroll services
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-m", "services.capture.health"]
CMD ["python", "-m", "services.capture"]

FROM code AS recorder
COPY --from=recorder-packages /opt/venv /opt/venv
COPY services/recorder services/recorder
RUN python -m compileall -q preroll services
USER 10001:10001
VOLUME /clips
ENV PREROLL_RECORDER_CLIPS_DIR=/clips
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "-m", "services.recorder", "health"]
CMD ["python", "-m", "services.recorder"]

FROM code AS api
COPY --from=api-packages /opt/venv /opt/venv
COPY services/api services/api
RUN python -m compileall -q preroll services
RUN install --directory --owner 10001 --group 10001 --mode 0700 /state
USER 10001:10001
VOLUME /clips /state
ENV PREROLL_API_CLIPS_DIR=/clips PREROLL_API_STATE_DIR=/state
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-m", "services.api.health"]
CMD ["python", "-m", "services.api"]
