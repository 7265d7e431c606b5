"""What is installed so that a node runs: a unit of systemd, a service of compose, a StatefulSet.

Each is one file. None holds a secret: each says where ``SESSILE_SECRETS`` comes from.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

_STOP: Final = 60  # seconds: twice what a server takes to step down and send its clients away


class Unit(StrEnum):
    """Who starts the node, and starts it again."""

    SYSTEMD = "systemd"
    COMPOSE = "compose"
    KUBERNETES = "kubernetes"


def unit_text(unit: Unit, program: Path, words: Sequence[str], folder: Path) -> str:
    """Return the file to install.

    Args:
        unit: for whom.
        program: the command ``sessile``.
        words: what stands behind ``sessile node``.
        folder: of the node, an absolute path.
    """
    if unit is Unit.SYSTEMD:
        return _systemd(program, words, folder)
    if unit is Unit.COMPOSE:
        return _compose(words, folder)
    return _KUBERNETES


def _systemd(program: Path, words: Sequence[str], folder: Path) -> str:
    command = " ".join(_quote(word) for word in (str(program), "node", *words))
    state = Path("/var/lib")
    place = (
        f"StateDirectory={folder.relative_to(state)}\nStateDirectoryMode=0700"
        if state in folder.parents
        else f"ReadWritePaths={_quote(str(folder))}"
    )
    return f"""\
# /etc/systemd/system/sessile-node.service
# useradd --system sessile; /etc/sessile/node.env has SESSILE_SECRETS=..., is root's and mode 0600
[Unit]
Description=A node of sessile
After=network-online.target
Wants=network-online.target

[Service]
User=sessile
EnvironmentFile=/etc/sessile/node.env
ExecStart={command}
# SIGTERM to the node alone: it has its server step down, and then end
KillMode=mixed
TimeoutStopSec={_STOP}
Restart=on-failure
RestartSec=1
LimitNOFILE=65536
UMask=0077
{place}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
"""


def _compose(words: Sequence[str], folder: Path) -> str:
    command = "".join(f"\n      - {_yaml(word)}" for word in ("sessile", "node", *words))
    return f"""\
# compose.yaml, beside node.env, which has SESSILE_SECRETS=...
services:
  sessile-node:
    # any image that has sessile[cluster], and a user who owns the folder
    image: registry.example/shop:1
    command:{command}
    env_file: node.env
    # workers of this host come by loopback, the other nodes by the host's address
    network_mode: host
    volumes:
      - {_yaml(f"{folder}:{folder}")}
    stop_grace_period: {_STOP}s
    restart: unless-stopped
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    ulimits:
      nofile: 65536
"""


_KUBERNETES: Final = f"""\
# Three nodes, which all workers reach at sessile-0.sessile:4222 and the others, by TLS.
# The secrets that it takes are made by
#   kubectl create secret generic sessile --from-literal=SESSILE_SECRETS="$(sessile keygen)"
#   sessile node cert --folder certificates \\
#     --peers sessile-0=sessile-0.sessile,sessile-1=sessile-1.sessile,sessile-2=sessile-2.sessile
#   mv certificates/authority.key somewhere/safe
#   kubectl create secret generic sessile-certificates --from-file=certificates
apiVersion: v1
kind: Service
metadata:
  name: sessile
  labels:
    app: sessile-node
spec:
  clusterIP: None
  # a node has to be found before it is ready: it gets ready by finding the others
  publishNotReadyAddresses: true
  selector:
    app: sessile-node
  ports:
    - name: workers
      port: 4222
    - name: nodes
      port: 6222
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: sessile
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app: sessile-node
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: sessile
  labels:
    app: sessile-node
spec:
  serviceName: sessile
  replicas: 3
  podManagementPolicy: Parallel
  # the next one is restarted when this one has caught up
  minReadySeconds: 15
  selector:
    matchLabels:
      app: sessile-node
  template:
    metadata:
      labels:
        app: sessile-node
    spec:
      terminationGracePeriodSeconds: {_STOP}
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector:
                matchLabels:
                  app: sessile-node
      containers:
        - name: node
          # any image that has sessile[cluster]
          image: registry.example/shop:1
          command:
            - sessile
            - node
            - --name=$(POD)
            - "--peers=sessile-0=sessile-0.sessile,\\
              sessile-1=sessile-1.sessile,\\
              sessile-2=sessile-2.sessile"
            - --folder=/data/node
            - --listen=0.0.0.0:4222
            - --ca=/certificates/authority.pem
            - --cert=/certificates/$(POD).pem
            - --key=/certificates/$(POD).key
            - --disk=9GB
            - --memory=512MB
          env:
            - name: POD
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: SESSILE_SECRETS
              valueFrom:
                secretKeyRef:
                  name: sessile
                  key: SESSILE_SECRETS
          ports:
            - containerPort: 4222
            - containerPort: 6222
          readinessProbe:
            tcpSocket:
              port: 4222
            periodSeconds: 5
          resources:
            requests:
              cpu: 250m
              memory: 768Mi
            limits:
              memory: 768Mi
          securityContext:
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities:
              drop: [ALL]
          volumeMounts:
            - name: data
              mountPath: /data
            - name: certificates
              mountPath: /certificates
              readOnly: true
      volumes:
        - name: certificates
          secret:
            secretName: sessile-certificates
            defaultMode: 0440
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        resources:
          requests:
            storage: 10Gi
"""


def _quote(word: str) -> str:
    """Return a word as systemd takes it: ``%`` and ``$`` mean something to it."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if not text or any(char in text for char in " \t'\";") else text


def _yaml(word: str) -> str:
    """Return a word as a text of YAML; compose takes ``$`` for a variable."""
    return "'" + word.replace("'", "''").replace("$", "$$") + "'"
