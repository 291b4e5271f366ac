// RNN (tanh), GRU and LSTM (Hochreiter & Schmidhuber 1997, with forget gates) over sequences of vectors (N,T,F) or of
// tokens (N,T), which an embedding makes vectors of: one layer, and
//
//   one label a sample:  its last valid state -> Linear, (N,classes)
//   the next token:      every state -> Linear, (N,T,classes); the layer is causal by itself
//
// Samples may end before the batch does. Where one has ended its state stays as it is, so nothing of the padding
// reaches an output or a gradient, and the arms leave it out of their statistics (arms/batch_norm.h).
//
// An arm has three places in a cell, as in Ba et al. 2016 and Cooijmans et al. 2017:
//
//   a_t = norm_x(W_x x_t) + norm_h(W_h h_{t-1}) + b;  an RNN's arms that share nothing over the batch: one place,
//         norm(W_x x_t + W_h h_{t-1}) + b (Ba et al., equation 4)
//   LSTM: c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g);  h_t = sigmoid(o) tanh(norm_c(c_t))
//
// Observers see one layer, over all valid steps: of an LSTM the cell behind its normalization, of an RNN what goes into
// tanh, of a GRU its state.
//
// W_x x is taken for all steps at once. Recurrent weights are normal with variance 1 / hidden; the forget gate's bias
// starts at 1. The embedding is as wide as the state, and standard normal: vectors are standardised too.
#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/models/cells.h"
#include "lab/models/network.h"
#include "lab/models/weights.h"

namespace norma::lab {
namespace {

enum class Cell : std::uint8_t { kRnn, kGru, kLstm };

class Recurrent final : public Network {
 public:
  Recurrent(const TrialSpec& trial, const Dataset& data)
      : hidden_(trial.model.hidden), tokens_(data.kind == SampleKind::kTokens), per_position_(data.per_position) {
    const std::string& kind = trial.model.kind;
    cell_ = kind == "lstm" ? Cell::kLstm : kind == "gru" ? Cell::kGru : Cell::kRnn;
    if (hidden_ < 1) throw InputError("a recurrent network needs a hidden state of at least 1");
    if (data.kind == SampleKind::kImages) throw InputError("a recurrent network takes tokens or sequences");
    const std::int64_t gates = (cell_ == Cell::kLstm ? 4 : cell_ == Cell::kGru ? 3 : 1) * hidden_;
    const auto layer = [&](std::int64_t features, std::int64_t rank, Site site) {
      return make_arm({.trial = trial, .features = features, .rank = rank, .site = site, .steps = data.positions()});
    };
    sums_ = cell_ == Cell::kRnn && !find_arm(trial.arm)->uses_batch;
    norm_x_ = sums_ ? make_none({.trial = trial, .features = gates}) : layer(gates, 3, Site::kInput);
    norm_h_ = layer(gates, 2, Site::kHidden);
    const std::int64_t features = tokens_ ? hidden_ : data.shape[0];
    input_ = initial_weights({gates, features}, Activation::kNone, trial.model.gain, trial.seed, 0);
    recurrent_ = initial_weights({gates, hidden_}, Activation::kNone, trial.model.gain, trial.seed, 1);
    bias_ = initial_bias(gates);
    if (tokens_) {
      embedding_ = random_normal({data.vocabulary, hidden_}, 1, trial.seed, 3).requires_grad_();
      add(embedding_, {}, nullptr);
    }
    add(input_, {}, norm_x_.get());
    add(recurrent_, bias_, norm_h_.get());
    if (cell_ == Cell::kLstm) {
      const at::NoGradGuard no_grad;
      bias_.narrow(0, hidden_, hidden_).fill_(1);
      norm_c_ = layer(hidden_, 2, Site::kCell);
      add(norm_c_.get());
    }
    last_weight_ = initial_weights({data.classes, hidden_}, Activation::kNone, 1, trial.seed, 2);
    last_bias_ = initial_bias(data.classes);
    add(last_weight_, last_bias_, nullptr);
  }

  at::Tensor forward(const Batch& batch, Pass pass) override {
    const std::int64_t samples = batch.x.size(0), steps = longest_of(batch);
    pass.mask = batch.mask.defined() ? batch.mask.narrow(1, 0, steps) : batch.mask;
    const at::Tensor given = batch.x.narrow(1, 0, steps), x = tokens_ ? at::embedding(embedding_, given) : given;
    if (tokens_ && pass.observer != nullptr) pass.observer->embedded(x);
    // The bias rides on the input path where nothing would subtract it there; a GRU's on the input path too.
    const at::Tensor from_inputs = norm_x_->forward(at::linear(x, input_), pass);
    const at::Tensor paths = sums_ ? from_inputs : from_inputs + bias_;
    const std::vector<at::Tensor> at_step = paths.unbind(1);
    at::Tensor h = at::zeros({samples, hidden_}, x.options()), c = h;
    std::vector<at::Tensor> states;
    seen_.clear();
    for (std::int64_t step = 0; step < steps; ++step) {
      pass.time_step = step;
      const at::Tensor through = at::linear(h, recurrent_), from_h = sums_ ? through : norm_h_->forward(through, pass);
      const auto [next_h, next_c] = advance(at_step[static_cast<std::size_t>(step)], from_h, h, c, pass);
      if (batch.mask.defined()) {  // a sample that has ended keeps its state
        const at::Tensor valid = batch.mask.select(1, step).unsqueeze(1);
        h = at::where(valid, next_h, h);
        c = at::where(valid, next_c, c);
      } else {
        h = next_h;
        c = next_c;
      }
      if (per_position_) states.push_back(h);
    }
    if (pass.observer != nullptr) show(*pass.observer, pass.mask);
    if (!per_position_) return at::linear(h, last_weight_, last_bias_);
    const at::Tensor logits = at::linear(at::stack(states, 1), last_weight_, last_bias_);
    const std::int64_t more = batch.x.size(1) - steps;
    return more == 0 ? logits : at::cat({logits, logits.narrow(1, steps - 1, 1).expand({-1, more, -1})}, 1);
  }

 private:
  struct Seen {
    at::Tensor before, after;
  };

  // Steps of the batch's longest sample: behind it there is padding alone, however much.
  static std::int64_t longest_of(const Batch& batch) {
    return batch.mask.defined() ? batch.mask.sum(1).max().item<std::int64_t>() : batch.x.size(1);
  }

  void keep(const at::Tensor& before, const at::Tensor& after, const Pass& pass) {
    if (pass.observer != nullptr) seen_.push_back({before.detach(), after.detach()});
  }

  // Behind the end of a sample there is nothing that the layer hands on.
  void show(Observer& observer, const at::Tensor& mask) {
    std::vector<at::Tensor> before, after;
    for (const Seen& step : seen_) {
      before.push_back(step.before);
      after.push_back(step.after);
    }
    seen_.clear();
    if (before.empty()) return;
    at::Tensor from = at::stack(before, 1), to = at::stack(after, 1);
    if (mask.defined()) {
      from = from.index({mask});
      to = to.index({mask});
    }
    observer.saw(0, from, to);
  }

  std::pair<at::Tensor, at::Tensor> advance(const at::Tensor& from_x, const at::Tensor& from_h, const at::Tensor& h,
                                            const at::Tensor& c, const Pass& pass) {
    if (cell_ == Cell::kRnn) {
      const at::Tensor before = from_x + from_h;
      const at::Tensor after = sums_ ? norm_h_->forward(before, pass) + bias_ : before;
      keep(before, after, pass);
      return {at::tanh(after), c};
    }
    if (cell_ == Cell::kGru) {
      const at::Tensor next = gru_state(from_x, from_h, h);
      keep(next, next, pass);
      return {next, c};
    }
    const at::Tensor gates = from_x + from_h;
    const at::Tensor next = lstm_state(gates, c);
    const at::Tensor seen = norm_c_->forward(next, pass);
    keep(next, seen, pass);
    return {lstm_output(gates, seen), next};
  }

  Cell cell_ = Cell::kLstm;
  bool sums_ = false;  // norm_h_ normalizes both paths together
  std::int64_t hidden_;
  bool tokens_, per_position_;
  std::unique_ptr<ArmLayer> norm_x_, norm_h_, norm_c_;
  std::vector<Seen> seen_;  // of the steps of one pass, for its observer
  at::Tensor embedding_, input_, recurrent_, bias_, last_weight_, last_bias_;
};

}  // namespace

std::unique_ptr<Network> make_recurrent(const TrialSpec& trial, const Dataset& data) {
  return std::make_unique<Recurrent>(trial, data);
}

}  // namespace norma::lab
