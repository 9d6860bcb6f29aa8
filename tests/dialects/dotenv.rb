# Asks Ruby's dotenv (the argument is the folder of its library), with nothing set in its environment.
ENV.clear
Encoding.default_external = Encoding::UTF_8
$LOAD_PATH.unshift(ARGV.shift)
require "dotenv"
require_relative "answer"

each_file { |path| Dotenv.parse(path) }
