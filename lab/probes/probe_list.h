// How each probe is made; a file each.
#pragma once

#include <memory>

#include "lab/probes/probe.h"

namespace norma::lab {

std::unique_ptr<Probe> make_gradient_shift();
std::unique_ptr<Probe> make_moment_shift();
std::unique_ptr<Probe> make_smoothness();
std::unique_ptr<Probe> make_norms();
std::unique_ptr<Probe> make_statistics_gap(std::int64_t sgd_batch);
std::unique_ptr<Probe> make_sample_coupling();
std::unique_ptr<Probe> make_invariance();

}  // namespace norma::lab
