// serene export: a trained model for other programs.
#include "command.h"
#include "serene/io/atomic_file.h"
#include "serene/io/model_texts.h"
#include "serene/io/onnx_export.h"
#include "serene/io/onnx_graph.h"
#include "serene/io/torch_names.h"

namespace serene::cli {
namespace {

void export_onnx(const Ensemble& model, const std::string& file, const OnnxOptions& options) {
  write_file_atomic(file, std::string_view(onnx_file(model, options)));
  const std::string what = options.logits ? "logits" : "probabilities";
  print("onnx " + file + ": operator set " + std::to_string(OnnxGraph::kOpset) + ", features (batch, frames, " +
        std::to_string(model.members.front().input_channels) + ") to " + what + " (batch, " +
        std::to_string(model.labels.size()) + "), normaliser " +
        (options.normalizer ? "in the graph" : "in the metadata") + "\n");
}

void export_torch(const Ensemble& model, const std::string& file) {
  if (!model.single()) {
    throw Error(ErrorCode::usage, "--pytorch", "takes one model, not an ensemble")
        .hint("export its members one by one");
  }
  const Checkpoint& c = model.members.front();
  SafeTensorsWriter out;
  add_torch_tensors(build_model_of(c), c.params, out);
  for (const auto& [key, text] : model_texts(model)) out.metadata(key, text);
  out.metadata("model", c.model.dump());
  out.metadata("format", "pt");
  out.write(file);
  print("pytorch " + file + ": weights by PyTorch's names, normaliser and temperature in the metadata\n");
}

}  // namespace

int export_command(int argc, char** argv) {
  Arguments args("export",
                 "Write a trained model for other programs. An ONNX graph takes features (batch, frames, F), of any "
                 "batch and any number of frames; it knows no masks, so clips of one batch are equally long.",
                 "RUN|MODEL.safetensors");
  args.add()("onnx", "The graph with weights, temperature and softmax, for any ONNX runtime",
             cxxopts::value<std::string>(), "FILE")(
      "normalizer", "The standardisation of the features becomes part of the ONNX graph (else: of its metadata)")(
      "logits", "The ONNX graph gives the last layer's raw answers, without temperature and softmax")(
      "pytorch", "The weights by PyTorch's names and in its layouts, as safetensors", cxxopts::value<std::string>(),
      "FILE");
  args.example("serene export runs/first --onnx model.onnx --normalizer");
  args.example("serene export runs/first --pytorch weights.safetensors");
  if (!args.parse(argc, argv)) return 0;
  const auto files = args.positional();
  if (files.size() != 1)
    throw Error(ErrorCode::usage, "serene export", "one model is needed").hint("see serene export --help");
  const bool onnx = args.has("onnx"), torch = args.has("pytorch");
  if (!onnx && !torch) throw Error(ErrorCode::usage, "serene export", "--onnx FILE or --pytorch FILE is needed");
  const OnnxOptions options{args.has("normalizer"), args.has("logits")};
  if (!onnx && (options.normalizer || options.logits)) {
    throw Error(ErrorCode::usage, options.logits ? "--logits" : "--normalizer", "belongs to --onnx");
  }
  const Ensemble model = read_model(model_file(files[0]));
  if (onnx) export_onnx(model, args.get<std::string>("onnx"), options);
  if (torch) export_torch(model, args.get<std::string>("pytorch"));
  return 0;
}

}  // namespace serene::cli
