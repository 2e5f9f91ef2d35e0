"""HDF5 files that are not what they seem: refused before memory is asked for."""

import h5py
import nir
import numpy as np
import pytest

from synann_core.export import load_nir, save_nir
from synann_core.export.nir.files import read_graph
from synann_core.spiking import LIF, Layer, SpikingNetwork


def saved(folder):
    path = folder / "net.nir"
    network = SpikingNetwork(3, [Layer(4, LIF(0.9, reset="zero"), recurrent=True)], steps=5)
    save_nir(network, path)
    return path


def test_what_is_read_is_what_nir_reads(tmp_path):
    path = saved(tmp_path)
    graph, known = read_graph(path), nir.read(path)
    assert sorted(graph.fields["edges"]) == sorted(known.edges)
    for name, node in known.nodes.items():
        found = graph.fields["nodes"][name]
        assert found.kind == type(node).__name__
        for field, value in found.fields.items():
            if field not in ("shape", "metadata"):
                np.testing.assert_array_equal(value, getattr(node, field))
    assert graph.fields["metadata"] == known.metadata


def dataset(name, value, **options):
    def change(node):
        del node[f"nodes/layer0.lif/{name}"]
        node.create_dataset(f"nodes/layer0.lif/{name}", data=value, **options)

    return change


def huge(node):
    del node["nodes/layer0.affine/weight"]
    weight = node.create_dataset(
        "nodes/layer0.affine/weight", (1 << 20, 1 << 12), "f8", chunks=(1, 1), compression="gzip"
    )
    weight[0, 0] = 1.0


def chunky(node):
    del node["nodes/layer0.affine/weight"]
    node.create_dataset(
        "nodes/layer0.affine/weight", (4, 3), "f8", chunks=(1 << 14, 1 << 14), maxshape=(None, None)
    )


def bomb(node):
    del node["nodes/layer0.affine/weight"]
    zeros = np.zeros((1000, 5000))
    node.create_dataset("nodes/layer0.affine/weight", data=zeros, compression="gzip")


def soft(node):
    del node["nodes/layer0.lif/r"]
    node["nodes/layer0.lif/r"] = h5py.SoftLink("/node/nodes/layer0.lif/tau")


def outside(node):
    del node["nodes/layer0.lif/r"]
    node["nodes/layer0.lif/r"] = h5py.ExternalLink("/etc/passwd", "/x")


def external(node):
    del node["nodes/layer0.lif/r"]
    node.create_dataset("nodes/layer0.lif/r", (4,), "f8", external=[("/etc/passwd", 0, 32)])


def virtual(node):
    del node["nodes/layer0.lif/r"]
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    node.create_virtual_dataset("nodes/layer0.lif/r", layout)


def endless(node):
    """A graph that holds itself."""
    node["nodes/again"] = node


def repeated(node):
    """Edges that all share the bytes of one long text."""
    del node["edges"]
    names = np.array([["a" * 100_000] * 2] * 50, dtype=object)
    node.create_dataset("edges", data=names, dtype=h5py.string_dtype())


def drop(name):
    return lambda node: node.__delitem__(name)


def put(name, value):
    def change(node):
        if name in node:
            del node[name]
        node[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (huge, "asks for 34359738368 bytes"),
        (chunky, "in pieces of 2147483648"),
        (bomb, "asks for 40000000 bytes"),
        (soft, "'r' is a link to elsewhere"),
        (outside, "'r' is a link to elsewhere"),
        (external, "'r' is not in the file itself"),
        (virtual, "'r' is not in the file itself"),
        (endless, "too deep in graphs"),
        (repeated, "texts that are too long"),
        (dataset("r", np.array(["a"], dtype="S3")), "'r' is not one text"),
        (dataset("r", np.array([1j])), "'r' are not numbers"),
        (dataset("r", h5py.Empty("f8")), "'r' is not an array"),
        (drop("edges"), "no 'edges'"),
        (drop("nodes"), "no 'nodes'"),
        (drop("type"), "has no type"),
        (put("edges", np.ones((2, 2))), "edges are not pairs"),
        (put("nodes", 3), "where"),
        (put("nodes/output/type", 3), "has no type"),
        (put("nodes/output/type", "Sink"), "'Sink', which a network does not have|do not lead"),
        (put("nodes/layer0.lif/type", "Delay"), "'layer0.lif'"),
        (put("nodes/input/shape", np.array([1 << 40])), "it has shape"),
        (put("nodes/input/shape", 0.5), "it has no shape"),
        (put("metadata/synann", "{}"), "are not steps and loss"),
        (put("metadata/synann", '{"steps": 100000000, "loss": "count"}'), "10000 steps"),
        (put("metadata/synann", "[" * 9000), "where"),
        (drop("nodes/layer0.affine/bias"), "'layer0.affine': it has no `bias`"),
    ],
)
def test_files_that_are_refused(change, message, tmp_path):
    path = saved(tmp_path)
    with h5py.File(path, "a") as file:
        change(file["node"])
    with pytest.raises(ValueError, match=message) as error:
        load_nir(path)
    text = str(error.value)
    assert text.startswith("`path` must hold a NIR graph")
    assert repr(str(path)) in text
    assert "\n" not in text
    assert len(text) < 700 + len(str(path))


def test_files_that_are_not_hdf5(tmp_path):
    path = tmp_path / "x"
    for data in (b"", b"\x89HDF\r\n\x1a\n" + b"\xff" * 100, b"text"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"`path` must hold a NIR graph"):
            load_nir(path)
    with pytest.raises(FileNotFoundError):
        load_nir(tmp_path / "none")
