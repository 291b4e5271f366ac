#include "targets.h"

namespace norma::bench {
namespace {

struct Wanted {
  double out_of_cache;
  double in_cache;
};

Wanted to_onednn(const Case& c) {
  const bool backward = c.operation == Operation::kBackward;
  if (c.rows()) return backward ? Wanted{3, 2} : Wanted{1.5, 1.3};
  // (N,C) is what NHWC is without the pixels.
  const bool channels_last = c.layout == Layout::kChannelsLast || c.shape.rank() == 2;
  if (channels_last) return backward ? Wanted{3, 1.1} : Wanted{4, 1.1};
  return backward ? Wanted{5, 5} : Wanted{5, 4};
}

Wanted to_blocked(const Case& c) {
  return c.operation == Operation::kBackward ? Wanted{1.4, 1.1} : Wanted{1.5, 1.1};
}

double share_wanted(const Case& c) {
  return c.rows() || c.operation == Operation::kInference ? 0.9 : 0.75;
}

}  // namespace

std::vector<Target> targets_of(const Row& row) {
  std::vector<Target> targets;
  const double at_the_roof = static_cast<double>(row.c.bytes()) / row.roof;
  const auto add = [&](const char* peer, Wanted wanted) {
    const double time = row.of(peer);
    if (time == 0) return;
    const bool in_cache = row.in_cache();
    targets.push_back(
        {peer, in_cache ? wanted.in_cache : wanted.out_of_cache, time / row.ours(), in_cache ? 0 : time / at_the_roof});
  };
  if (row.fresh) {
    add("libtorch", {3, 2});
    return targets;
  }
  if (row.c.operation != Operation::kInference) {
    add("oneDNN", to_onednn(row.c));
    add("oneDNN blocked", to_blocked(row.c));
  }
  if (!row.in_cache()) targets.push_back({"roof", share_wanted(row.c), row.share_of_roof(), 1});
  return targets;
}

}  // namespace norma::bench
