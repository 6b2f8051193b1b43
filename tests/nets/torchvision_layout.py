"""Names and shapes of torchvision's published state dicts, from its architecture rules.

torchvision itself is no dependency. The rules are those of its ``resnet.py`` and
``densenet.py``; the totals in the tests are the parameter counts that its page of
models prints, so that a slip in these rules would show.
"""


def _norm(name, n):
    return {
        f"{name}.weight": (n,),
        f"{name}.bias": (n,),
        f"{name}.running_mean": (n,),
        f"{name}.running_var": (n,),
        f"{name}.num_batches_tracked": (),
    }


def _basic(name, before, width):
    yield f"{name}.conv1.weight", (width, before, 3, 3)
    yield from _norm(f"{name}.bn1", width).items()
    yield f"{name}.conv2.weight", (width, width, 3, 3)
    yield from _norm(f"{name}.bn2", width).items()


def _bottleneck(name, before, width):
    yield f"{name}.conv1.weight", (width, before, 1, 1)
    yield from _norm(f"{name}.bn1", width).items()
    yield f"{name}.conv2.weight", (width, width, 3, 3)
    yield from _norm(f"{name}.bn2", width).items()
    yield f"{name}.conv3.weight", (4 * width, width, 1, 1)
    yield from _norm(f"{name}.bn3", 4 * width).items()


def _resnet(depths, block, expansion):
    layout = {"conv1.weight": (64, 3, 7, 7), **_norm("bn1", 64)}
    before = 64
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        for i in range(depth):
            name = f"layer{stage + 1}.{i}"
            layout.update(block(name, before, width))
            after = width * expansion
            # A shortcut needs weights where its width or its step changes.
            if i == 0 and (before != after or stage > 0):
                layout[f"{name}.downsample.0.weight"] = (after, before, 1, 1)
                layout.update(_norm(f"{name}.downsample.1", after))
            before = after
    return {**layout, "fc.weight": (1000, before), "fc.bias": (1000,)}


def _densenet121():
    layout = {"features.conv0.weight": (64, 3, 7, 7), **_norm("features.norm0", 64)}
    n = 64
    for block, depth in enumerate((6, 12, 24, 16), start=1):
        for layer in range(1, depth + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            layout.update(_norm(f"{name}.norm1", n))
            layout[f"{name}.conv1.weight"] = (128, n, 1, 1)
            layout.update(_norm(f"{name}.norm2", 128))
            layout[f"{name}.conv2.weight"] = (32, 128, 3, 3)
            n += 32
        if block < 4:
            name = f"features.transition{block}"
            layout.update(_norm(f"{name}.norm", n))
            layout[f"{name}.conv.weight"] = (n // 2, n, 1, 1)
            n //= 2
    layout.update(_norm("features.norm5", n))
    return {**layout, "classifier.weight": (1000, n), "classifier.bias": (1000,)}


LAYOUTS = {
    "resnet18": _resnet((2, 2, 2, 2), _basic, 1),
    "resnet50": _resnet((3, 4, 6, 3), _bottleneck, 4),
    "densenet121": _densenet121(),
}
