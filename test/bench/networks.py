"""Networks of the bench, as PyTorch modules: real shapes, weights drawn from a seed, nothing downloaded.

models.py writes them as ONNX, peer.py runs the same modules. Each returns a dict of its taps, in the order
of the pipeline's layers. "Alive": every unit of a drawn network is standardised on the probe images, so
that ReLUs are open for a third of the samples and deep layers don't collapse into one direction.
Made with PyTorch 1.13, torchvision 0.14.
"""
import torch
from torch import nn
from torch.nn import functional as F

PICTURES = 64  # probe images that weights are standardised on
UNIT_BIAS = (-0.4, 0.3)  # mean and spread of the bias after standardising


class Lrn(torch.autograd.Function):
    """Local response normalisation over 5 channels, exported as one LRN node instead of a dozen."""

    SIZE, ALPHA, BETA = 5, 1e-4, 0.75

    @staticmethod
    def forward(_, x):
        return F.local_response_norm(x, Lrn.SIZE, Lrn.ALPHA, Lrn.BETA, 1.0)

    @staticmethod
    def symbolic(graph, x):
        return graph.op("LRN", x, alpha_f=Lrn.ALPHA, beta_f=Lrn.BETA, bias_f=1.0, size_i=Lrn.SIZE)


class CaffeNet(nn.Module):
    """AlexNet without channel groups, pooled before it is normalised: the network of "Convergent Learning".

    Images [batch × 3 × 227 × 227]; taps after ReLU: conv1 96 @ 55², conv2 256 @ 27², conv3 384, conv4 384 and
    conv5 256 @ 13², fc6 and fc7 4096. With `depth="conv"` it ends at conv5.
    """

    def __init__(self, depth="fc"):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1)
        self.depth = depth
        if depth == "fc":
            self.fc6 = nn.Linear(256 * 6 * 6, 4096)
            self.fc7 = nn.Linear(4096, 4096)

    def forward(self, x):
        taps = {"conv1": torch.relu(self.conv1(x))}
        taps["conv2"] = torch.relu(self.conv2(Lrn.apply(F.max_pool2d(taps["conv1"], 3, 2))))
        taps["conv3"] = torch.relu(self.conv3(Lrn.apply(F.max_pool2d(taps["conv2"], 3, 2))))
        taps["conv4"] = torch.relu(self.conv4(taps["conv3"]))
        taps["conv5"] = torch.relu(self.conv5(taps["conv4"]))
        if self.depth == "fc":
            taps["fc6"] = torch.relu(self.fc6(F.max_pool2d(taps["conv5"], 3, 2).flatten(1)))
            taps["fc7"] = torch.relu(self.fc7(taps["fc6"]))
        return taps


class ResNet50(nn.Module):
    """torchvision's ResNet-50 on [batch × 3 × 224 × 224]; taps: the last ReLU of the stem and of each stage."""

    def __init__(self):
        super().__init__()
        from torchvision.models import resnet50

        self.net = resnet50(weights=None)

    def forward(self, x):
        net = self.net
        taps = {"stem": net.relu(net.bn1(net.conv1(x)))}
        x = net.maxpool(taps["stem"])
        for name in ["layer1", "layer2", "layer3", "layer4"]:
            x = taps[name] = getattr(net, name)(x)
        return taps


class VitB16(nn.Module):
    """torchvision's ViT-B/16 on [batch × 3 × 224 × 224], its blocks spelt out so that any batch can be exported.

    Taps: tokens after blocks 1, 6 and 12 [batch × 197 × 768], hidden units of the MLPs of blocks 1 and 12
    after GELU [batch × 197 × 3072].
    """

    HEADS, TOKENS, HIDDEN = 12, (0, 5, 11), (0, 11)

    def __init__(self):
        super().__init__()
        from torchvision.models import vit_b_16

        self.net = vit_b_16(weights=None)

    def forward(self, x):
        net = self.net
        x = net.conv_proj(x).reshape(-1, 768, 196).transpose(1, 2)
        x = torch.cat([net.class_token + torch.zeros_like(x[:, :1]), x], 1) + net.encoder.pos_embedding
        taps = {}
        for index, block in enumerate(net.encoder.layers):
            x = x + self.attend(block.self_attention, block.ln_1(x))
            hidden = block.mlp[1](block.mlp[0](block.ln_2(x)))
            x = x + block.mlp[3](hidden)
            if index in self.HIDDEN:
                taps[f"mlp{index + 1}"] = hidden
            if index in self.TOKENS:
                taps[f"block{index + 1}"] = x
        return taps

    def attend(self, attention, x):
        """Multi-head self-attention with the weights of `attention`; [batch × 197 × 768] to the same."""
        joined = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
        query, key, value = (
            part.reshape(-1, 197, self.HEADS, 768 // self.HEADS).transpose(1, 2) for part in joined.chunk(3, 2)
        )
        weights = torch.softmax(query @ key.transpose(2, 3) * (768 // self.HEADS) ** -0.5, 3)
        return attention.out_proj((weights @ value).transpose(1, 2).reshape(-1, 197, 768))


class Wide(nn.Module):
    """One layer of `width` units at 3 × 3 positions behind two small ones, on [batch × 1 × 28 × 28]."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(64, width, 3, stride=2)

    def forward(self, x):
        return {"wide": torch.relu(self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x))))))}


class SmallNet(nn.Module):
    """The shipped networks of pipelines/fashion-mnist, with the taps of the pipeline."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.conv4 = nn.Conv2d(64, 128, 3, padding=1)
        self.fc = nn.Linear(128 * 7 * 7, 10)

    def forward(self, x):
        taps = {"conv1": torch.relu(self.conv1(x))}
        taps["conv2"] = torch.relu(self.conv2(F.max_pool2d(taps["conv1"], 2)))
        taps["conv3"] = torch.relu(self.conv3(F.max_pool2d(taps["conv2"], 2)))
        taps["conv4"] = torch.relu(self.conv4(taps["conv3"]))
        taps["fc"] = self.fc(taps["conv4"].flatten(1))
        return taps


def draw(make, seed, pictures):
    """A module of `make()` with weights drawn from `seed`, standardised on the float32 `pictures`; eval mode."""
    torch.manual_seed(seed)
    net = make()
    with torch.no_grad():
        if isinstance(net, ResNet50):
            fit_batch_norm(net, pictures)
        elif not isinstance(net, VitB16):  # its LayerNorms do that
            standardise(net, pictures)
    return net.eval()


def fit_batch_norm(net, pictures):
    """Running statistics of every BatchNorm = plain mean over batches of the pictures, with spread-out γ and β."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(-0.1, 0.3)
    net.train()
    for batch in pictures.split(16):
        net(batch)


def standardise(net, pictures):
    """He weights, then layer by layer: each unit's pre-activations get mean 0, deviation 1 and a drawn bias."""

    def rescale(module, _, output):
        axes = (0, 2, 3) if output.ndim == 4 else (0,)
        shape = (1, -1, 1, 1) if output.ndim == 4 else (1, -1)
        std, mean = torch.std_mean(output, axes, unbiased=False)
        drawn = torch.empty_like(mean).normal_(*UNIT_BIAS)
        module.weight.div_(std.view(-1, *[1] * (module.weight.ndim - 1)))
        module.bias.copy_((module.bias - mean) / std + drawn)
        return (output - mean.view(shape)) / std.view(shape) + drawn.view(shape)

    layers = [module for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    hooks = [layer.register_forward_hook(rescale) for layer in layers]
    net(pictures)
    for hook in hooks:
        hook.remove()
