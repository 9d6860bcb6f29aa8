# Asks Ruby's dotenv (the argument is the folder of installed gems), with nothing set in its environment.
ENV.clear
Encoding.default_external = Encoding::UTF_8
# An older dotenv that the machine may have has other rules: it must not step in.
$LOAD_PATH.unshift(Dir[File.join(ARGV.shift, "dotenv-3.*/lib")].fetch(0))
require "dotenv"
require_relative "answer"

each_file { |path| Dotenv.parse(path) }
