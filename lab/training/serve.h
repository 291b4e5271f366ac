// The worker's side of the protocol between `norma study` and norma-trial: one JSON object a line, in both directions.
//
//   worker: {"ready":true,"versions":{"torch":"1.13.0","blas":"OpenBLAS 0.3.21 (OpenMP), Haswell",...}}
//
//   study:  {"id":7,"trial":{...}}
//
//   worker: {"id":7,"result":{...}}
//
// and so on until the study closes the pipe.
//
// Whatever goes wrong in a trial is a result of status "crashed" with the reason; a line that is no request at all is
// answered the same way, with the id null.
#pragma once

#include <cstdio>
#include <istream>

#include "lab/data/dataset.h"
#include "lab/trial/spec.h"

namespace norma::lab {

// One thread a worker: a core each, and sums in one order. Of libtorch, oneDNN and libnorma, which ask OpenMP, and of
// builds of OpenBLAS that have threads of their own.
void use_one_thread();

class Server {
 public:
  // Trains; never throws for what a trial does.
  TrialResult run(const TrialSpec& spec);
  // Answers until the end of `in`. False if an answer could not be written.
  bool serve(std::istream& in, std::FILE* out);

 private:
  std::string answer(const std::string& line);
  const Dataset& data(const DataSpec& spec);

  // The data of the last trial, by the JSON of its DataSpec: the trials of a study share theirs.
  std::string loaded_;
  Dataset data_;
};

}  // namespace norma::lab
